"""What can go wrong with a lease, by who must act.

EventStoreError
├── LeaseLostError        nobody: another worker continues; give up the page
├── TryLaterError
│   └── LeaseFencedError  nobody: the heartbeat is late; go on once it was given
└── SetUpError
    └── FleetSettingsError  an operator: workers that live have other settings
"""

from collections.abc import Collection, Mapping

from eventstore.errors import EventStoreError, SetUpError, TryLaterError


class LeaseLostError(EventStoreError):
    """A lease is no longer this worker's. Give up what is in hand under it; its next owner does it again.

    Attributes:
        key: Of the lease.
        worker_id: Who held it.
        term: Under which it was held.
    """

    def __init__(self, key: str, *, worker_id: str, term: int) -> None:
        super().__init__(f"{key} is no longer held by worker {worker_id} under term {term}: give up what is in hand")
        self.key = key
        self.worker_id = worker_id
        self.term = term


class LeaseFencedError(TryLaterError):
    """The last heartbeat is too long ago to be sure of the lease. Nothing was written; try again once it is renewed.

    Attributes:
        key: Of the lease.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was not renewed in time, so it may be another worker's: try again once it is renewed")
        self.key = key


class FleetSettingsError(SetUpError):
    """Other workers live, and work with other settings than this one; they must agree.

    Attributes:
        differences: Setting → the value in force, and this worker's.
        workers: Ids of workers that live.
    """

    def __init__(self, differences: Mapping[str, tuple[str, str]], workers: Collection[str]) -> None:
        what = "; ".join(f"{name} is {there} for them and {here} here" for name, (there, here) in differences.items())
        who = ", ".join(sorted(workers)) or "workers that have just started"
        move = "; or announce that the bus moves with RELAY_BUS_MOVED_FROM" if set(differences) == {"bus"} else ""
        super().__init__(
            f"other workers live ({who}) and have other settings: {what}."
            f" Start this worker with theirs, or stop all of them first{move}",
        )
        self.differences = dict(differences)
        self.workers = frozenset(workers)
