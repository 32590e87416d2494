"""The cases of leases."""

from tests.exhaustive.area import Case
from tests.exhaustive.leases.world import Leases

CASES = (
    Case("time and turns", lambda: Leases(("s1",), 3, 3.4), 0, 0),
    Case("a reply is lost", lambda: Leases(("s1",), 2, 6.0, reply=1), 0, 0),
    Case("two shards", lambda: Leases(("s1", "s2"), 1, 10.0, stop=1), 0, 0),
)

LARGE = ()
