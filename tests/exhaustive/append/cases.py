"""The cases of appends."""

from eventstore import ANY
from tests.exhaustive.append.world import Appends, Scene
from tests.exhaustive.area import Case


def _case(name: str, scene: Scene, size: tuple[int, int] = (0, 0)) -> Case:
    return Case(name, lambda: Appends(scene), *size)


CASES = (
    _case("two numbers", Scene((0, 0), kinds=("reply", "late")), (621, 1_458)),
    _case("a number and any", Scene((0, ANY), faults=1), (420, 660)),
    _case("any and any", Scene((ANY, ANY), faults=1, kinds=("reply", "late")), (385, 634)),
    _case("one key", Scene((0, 0), ("a key", "a key"), faults=1), (189, 304)),
    _case("one key and any", Scene((ANY, ANY), ("a key", "a key"), faults=1, kinds=("reply",)), (192, 244)),
)

LARGE = (
    _case("any and any, larger", Scene((ANY, ANY))),
    _case("one key, larger", Scene((0, ANY), ("a key", "a key"))),
)
