"""The cases of delivery, small enough to be looked at as a whole."""

from collections.abc import Mapping, Sequence

from relay.destination import INDEX
from tests.exhaustive.area import Case
from tests.exhaustive.delivery.scene import Scene
from tests.exhaustive.delivery.world import Delivery


def _case(
    name: str,
    commits: Mapping[str, Sequence[int]],
    faults: Mapping[str, int],
    size: tuple[int, int] = (0, 0),
    *,
    sources: Sequence[str] = ("the shard",),
    sides: Sequence[str] = (),
) -> Case:
    scene = Scene(commits, sources, faults, sides)
    return Case(name, lambda: Delivery(scene), *size)


_TWO = ("shard 1", "shard 2")

CASES = (
    _case("order", {"a": (2, 1)}, {"connection": 1}, (1_339, 2_711)),
    _case("a neighbour", {"a": (1, 1)}, {"neighbour": 1}, (2_258, 4_950)),
    _case("refusals", {"a": (1, 1)}, {"refuse": 2}, (1_669, 2_386)),
    _case("silence", {"a": (1,), "b": (1,)}, {"silence": 1}, (2_829, 4_928)),
    _case("two shards", {"a": (2,)}, {"stop": 1}, (1_061, 1_931), sources=_TWO),
    _case("a shard lets go", {"a": (1, 1)}, {"stop": 1}, (1_857, 3_738)),
    _case("a lease is lost", {"a": (2,)}, {"lose lease": 1}, (108, 171)),
    _case("settling", {"a": (1,)}, {"close": 1, "write": 1, "neighbour": 1}, (1_463, 2_931), sides=(INDEX,)),
    _case("tables made anew", {"a": (2,)}, {"anew": 1, "write": 1}, (870, 1_207)),
)

LARGE = (
    _case("order, larger", {"a": (2, 1, 1)}, {"connection": 1, "question": 1}),
    _case("refusals, larger", {"a": (1, 1), "b": (1,)}, {"refuse": 2, "neighbour": 1}),
    _case("two shards, larger", {"a": (1, 1)}, {"stop": 1, "lose lease": 1}, sources=_TWO),
    _case("settling, larger", {"a": (1, 1)}, {"close": 1, "write": 1, "side": 1}, sides=(INDEX,)),
    _case("tables made anew, larger", {"a": (1, 1)}, {"anew": 1, "write": 1}),
)
