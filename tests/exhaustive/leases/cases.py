"""The cases of leases."""

from tests.exhaustive.area import Case
from tests.exhaustive.leases.world import Leases

CASES = (
    Case("time and turns", lambda: Leases(("s1",), 2, 10.0), 145, 320),
    Case("a reply is lost", lambda: Leases(("s1",), 2, 10.0, reply=1), 401, 1_162),
    Case("two shards", lambda: Leases(("s1", "s2"), 1, 10.0, stop=1), 112, 221),
)

LARGE = (
    Case("time and turns, larger", lambda: Leases(("s1", "s2"), 4, 3.4)),
    Case("writes and looks are lost, larger", lambda: Leases(("s1",), 3, 6.0, reply=1, request=1, look=1)),
)
