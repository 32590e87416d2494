"""Which visitors a seed has."""

from random import Random

from tests.simulation.clerks import Clerk
from tests.simulation.followers import Follower
from tests.simulation.importers import Importer
from tests.simulation.modellers import Modeller
from tests.simulation.readers import Reader
from tests.simulation.reservers import Reserver
from tests.simulation.services import Service
from tests.simulation.timelines import TimelineReader
from tests.simulation.visitors import Surroundings, Visitor
from tests.simulation.walkers import Auditor, Walker

KINDS: dict[str, type[Visitor]] = {
    "reader": Reader,
    "timeline": TimelineReader,
    "walker": Walker,
    "auditor": Auditor,
    "follower": Follower,
    "clerk": Clerk,
    "importer": Importer,
    "reserver": Reserver,
    "service": Service,
    "modeller": Modeller,
}
VISITS = (20, 40)
WRITING_VISITS = (8, 16)
"""What is written has to be delivered."""

KINDS_OF_A_SEED = 3


def draw_visitors(seed: str, around: Surroundings) -> list[Visitor]:
    """Return some visitors, of different kinds."""
    draw = Random(f"visitors {seed}")
    names = draw.sample(sorted(KINDS), KINDS_OF_A_SEED)
    return [KINDS[name](name, draw.choice(WRITING_VISITS if KINDS[name].writes else VISITS), around) for name in names]
