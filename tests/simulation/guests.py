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

READING: tuple[type[Visitor], ...] = (Reader, TimelineReader, Walker, Auditor, Follower, Modeller)
WRITING: tuple[type[Visitor], ...] = (Service, Service, Clerk, Reserver, Importer)
READING_A_SEED = (1, 1, 2)
WRITING_A_SEED = (0, 1)
"""Few, since each takes time of a seed; over many seeds all of them come."""


def draw_visitors(seed: str, around: Surroundings) -> list[Visitor]:
    """Return some visitors, of different kinds."""
    draw = Random(f"visitors {seed}")
    kinds = [*draw.sample(READING, draw.choice(READING_A_SEED)), *draw.sample(WRITING, draw.choice(WRITING_A_SEED))]
    return [kind(kind.__name__.lower(), draw.choice(kind.visits), around) for kind in kinds]
