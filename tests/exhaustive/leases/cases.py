"""The cases of leases."""

from tests.exhaustive.area import Case
from tests.exhaustive.leases.world import Leases

CASES = (
    Case("who works when", lambda: Leases(("s1",), 4, 6), 320, 340),
    Case("a write is lost", lambda: Leases(("s1",), 2, 12, reply=1, request=1), 166, 204),
    Case("two shards", lambda: Leases(("s1", "s2"), 2, 12, stop=1, die=1), 78, 84),
)

LARGE = (
    Case("who works when, larger", lambda: Leases(("s1", "s2"), 5, 4)),
    Case("a write is lost, larger", lambda: Leases(("s1", "s2"), 4, 6, reply=1, request=1)),
)
