"""The parts of a test run, in their order: what each selects, and how many of its tests run at a time."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

CORES = os.cpu_count() or 1

WAITING = 2 * CORES
"""Tests at a time where about half of a test is waiting: for a thread, a relay that starts, a lease that ends."""

WITH_SERVERS = ("acceptance", "clients", "contract", "infra", "integration")
"""The folders in which tests may need servers: the others are not even imported where only those run."""

_FOLDERS = tuple(f"tests/{folder}" for folder in WITH_SERVERS)

# One after the other is handed out, the longest first, so that no core waits for a long one in the end.
_ONE_BY_ONE = ("--dist", "load", "--maxschedchunk", "1")


@dataclass(frozen=True, slots=True)
class Tier:
    """Some of the tests.

    Attributes:
        name: On the command line, and in the table at the end.
        arguments: What pytest is told.
        needs_servers: It begins when the real servers are up.
    """

    name: str
    arguments: Sequence[str]
    needs_servers: bool = False


TIERS = (
    # Each test has its own world; whoever is done takes over from others.
    Tier(
        "without servers",
        ("-n", str(WAITING), "--dist", "worksteal", "-m", "not servers", "--ignore", "tests/simulation", "tests"),
    ),
    # Its two large tests spread their seeds over all cores by themselves; the small ones fill what they leave.
    Tier("simulation", ("-n", str(CORES), *_ONE_BY_ONE, "tests/simulation")),
    # Each test has its own corner of the servers.
    Tier(
        "with servers",
        ("-n", str(WAITING), *_ONE_BY_ONE, "-m", "servers and not timed", *_FOLDERS),
        needs_servers=True,
    ),
    # They hold the relay to times that it keeps on a machine which is not busy. They wait for most of their time, so
    # with one for each core it is not.
    Tier("timed", ("-n", str(CORES), *_ONE_BY_ONE, "-m", "servers and timed", *_FOLDERS), needs_servers=True),
)
