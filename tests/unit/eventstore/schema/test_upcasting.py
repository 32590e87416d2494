"""Ways through chains of upcasters, as values."""

import pytest

from eventstore.schema.upcasting import Kind, MissingUpcaster, Route, Step, UnknownType, UnknownVersion, find_way


def link(source: Kind, target: Kind) -> Step:
    return Step(source, target, lambda data: data)


ONE_TO_TWO = link(("COUNTED", 1), ("COUNTED", 2))
TWO_TO_THREE = link(("COUNTED", 2), ("COUNTED", 3))
RENAMED = link(("TALLIED", 4), ("COUNTED", 5))
FIVE_TO_SIX = link(("COUNTED", 5), ("COUNTED", 6))


@pytest.mark.parametrize(
    ("kind", "steps", "latest", "way"),
    [
        (("COUNTED", 3), [], {"COUNTED": 3}, Route((), ("COUNTED", 3))),
        (("COUNTED", 1), [ONE_TO_TWO, TWO_TO_THREE], {"COUNTED": 3}, Route((ONE_TO_TWO, TWO_TO_THREE), ("COUNTED", 3))),
        (("COUNTED", 2), [ONE_TO_TWO, TWO_TO_THREE], {"COUNTED": 3}, Route((TWO_TO_THREE,), ("COUNTED", 3))),
        (("COUNTED", 1), [TWO_TO_THREE], {"COUNTED": 3}, MissingUpcaster(("COUNTED", 1), 3)),
        (("COUNTED", 1), [ONE_TO_TWO], {"COUNTED": 3}, MissingUpcaster(("COUNTED", 2), 3)),
        (("COUNTED", 4), [], {"COUNTED": 3}, UnknownVersion(("COUNTED", 4), 3)),
        (("TALLIED", 4), [RENAMED], {"TALLIED": 4, "COUNTED": 4}, UnknownVersion(("COUNTED", 5), 4)),
        (("MOVED", 1), [], {"COUNTED": 3}, UnknownType()),
        (
            ("TALLIED", 4),
            [RENAMED, FIVE_TO_SIX],
            {"TALLIED": 4, "COUNTED": 6},
            Route((RENAMED, FIVE_TO_SIX), ("COUNTED", 6)),
        ),
        (("TALLIED", 4), [RENAMED], {"TALLIED": 4, "COUNTED": 6}, MissingUpcaster(("COUNTED", 5), 6)),
    ],
)
def test_the_way_to_the_latest_version(kind: Kind, steps: list[Step], latest: dict[str, int], way: object) -> None:
    """
    A chain leads link by link to the latest version, also under a new name, or the answer says where it ends.
    """
    assert find_way(kind, {step.source: step for step in steps}, latest) == way
