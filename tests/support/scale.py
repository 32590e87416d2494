"""How large the acceptance tests of the relay are: short ones for every run, long ones for `make acceptance-long`.

RELAY_TEST_LONG=1   outages of a minute by servers that are really stopped, 5,000 commits, leases of 10 s
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """One size of everything.

    Attributes:
        commits: Appended while workers are killed, frozen and stopped.
        commits_per_second: How fast, so that each of these happens in the middle of it.
        lease_seconds: Duration of a lease.
        freeze_seconds: How long a worker is frozen; longer than its lease.
        outage_seconds: How long a server is away.
        really: Servers are stopped; otherwise a proxy before them refuses connections.
        drain_seconds: How long all that is owed may take at the end.
        slack_seconds: Added to what the relay promises, where tests run beside others on a busy machine.
    """

    commits: int
    commits_per_second: float
    lease_seconds: int
    freeze_seconds: float
    outage_seconds: float
    really: bool
    drain_seconds: float
    slack_seconds: float


SHORT = Scale(
    commits=1000,
    commits_per_second=70,
    lease_seconds=3,
    freeze_seconds=6,
    outage_seconds=8,
    really=False,
    drain_seconds=90,
    slack_seconds=3,
)
LONG = Scale(
    commits=5000,
    commits_per_second=45,
    lease_seconds=10,
    freeze_seconds=30,
    outage_seconds=60,
    really=True,
    drain_seconds=300,
    slack_seconds=0,
)
SCALE = LONG if os.environ.get("RELAY_TEST_LONG") else SHORT
