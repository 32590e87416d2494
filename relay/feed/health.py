"""What is wrong with the feed, as this worker sees it: for health, metrics, the log, and the worker's report."""

from collections.abc import Collection

from eventstore.errors import AccessDeniedError, EventStoreError, RequestRefusedError, SetUpError
from eventstore.ports import Runtime
from relay.feed.directory import NoFeedError
from relay.feed.trouble import FeedState, FeedTrouble

SILENT_SECONDS = 15.0
"""A shard that has not answered for this long is trouble; reads that fail now and then are not."""

MEANWHILE = "until then the sweep delivers, later by RELAY_SWEEP_MIN_AGE_SECONDS"
_RIGHTS = (
    "let the relay's role use dynamodb:DescribeStream, dynamodb:GetShardIterator and dynamodb:GetRecords on the"
    " streams of the outbox (its table's ARN and /stream/*)"
)


def trouble_of(error: EventStoreError) -> FeedTrouble:
    """Return what an error of a look at the feed, or of reading it, means."""
    needs_person = isinstance(error, SetUpError | RequestRefusedError)
    if isinstance(error, NoFeedError):
        return FeedTrouble(FeedState.ABSENT, f"{error}; {MEANWHILE}", needs_person)
    if isinstance(error, AccessDeniedError):
        return FeedTrouble(FeedState.DENIED, f"{error}: {_RIGHTS}; {MEANWHILE}", needs_person)
    return FeedTrouble(FeedState.OUTAGE, f"{error}; {MEANWHILE}", needs_person)


class FeedHealth:
    """Keeps what was seen last. Any part may tell and ask; a lock guards what they share.

    Rights are given per stream, so a refusal counts for all shards of one. It is taken back by a read that succeeds.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._look: FeedTrouble | None = None
        self._denied: dict[str, FeedTrouble] = {}
        self._failing: dict[str, tuple[float, FeedTrouble]] = {}

    def looked(self, trouble: FeedTrouble | None) -> None:
        """Note how a look at the feed ended."""
        with self._lock:
            self._look = trouble

    def denied(self, label: str, error: EventStoreError) -> None:
        """Note that the shards of a stream may not be read."""
        with self._lock:
            self._denied[label] = trouble_of(error)

    def failed(self, shard_id: str, reason: str) -> None:
        """Note that a shard did not answer."""
        trouble = FeedTrouble(
            FeedState.OUTAGE, f"shard {shard_id} does not answer: {reason}; {MEANWHILE}", needs_person=False
        )
        with self._lock:
            since, _ = self._failing.get(shard_id, (self._runtime.monotonic(), None))
            self._failing[shard_id] = (since, trouble)

    def read(self, label: str, shard_id: str) -> None:
        """Note that a shard was read."""
        if label in self._denied or shard_id in self._failing:
            with self._lock:
                self._denied.pop(label, None)
                self._failing.pop(shard_id, None)

    def forget(self, shard_id: str) -> None:
        """Leave out a shard that this worker no longer reads."""
        with self._lock:
            self._failing.pop(shard_id, None)

    def readable(self, label: str) -> None:
        """Note that the shards of a stream may be read."""
        with self._lock:
            self._denied.pop(label, None)

    def keep(self, labels: Collection[str]) -> None:
        """Forget what is known of all other streams: nobody wants to read them any more."""
        with self._lock:
            self._denied = {label: trouble for label, trouble in self._denied.items() if label in labels}

    def is_denied(self, label: str) -> bool:
        """Tell whether reading a stream was refused the last time."""
        return label in self._denied

    @property
    def trouble(self) -> FeedTrouble | None:
        """What is wrong now; None while all is well."""
        with self._lock:
            if self._look is not None:
                return self._look
            if self._denied:
                return next(iter(self._denied.values()))
            before = self._runtime.monotonic() - SILENT_SECONDS
            return next((trouble for since, trouble in self._failing.values() if since <= before), None)
