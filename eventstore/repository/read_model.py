"""A view over many aggregates, fed with events as they come; its state and its positions are kept in one row."""

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from eventstore import jsontext, limits
from eventstore.dynamodb.caller import Caller, Refused
from eventstore.errors import CorruptRowError, DecideAgainError, LimitExceededError
from eventstore.model import RecordedEvent
from eventstore.payload.plain import scalar
from eventstore.repository import snapshot_row
from eventstore.repository.folding import Evolve, Fold, own
from eventstore.repository.projection import checked_name
from eventstore.repository.repository import checked_version
from eventstore.repository.snapshot_row import Snapshot
from eventstore.repository.state_codec import JsonStateCodec, StateCodec
from eventstore.rows.item import ItemReader, item_size
from eventstore.store import EventStore

S = TypeVar("S")

Position = tuple[int, int]
"""Epoch and sequence number of the last event of an aggregate that was applied."""


class ReadModel(Generic[S]):
    """A fold over the events of many aggregates, such as the stock of all items. One feeder, one thread at a time.

    Feed it from the bus, or from `EventStore.stream_events`, and at first, or anew, from `EventStore.read_all`; `save`
    before what was fed is acknowledged, or a token kept. Repeats are dropped by the rule for consumers: a number of an
    aggregate that is not above the last one applied is a repeat.

    The row holds the state and one position per aggregate, together at most 400 KB, which is room for some thousand
    aggregates. Larger views belong into a database of their own.
    """

    def __init__(
        self,
        store: EventStore,
        name: str,
        *,
        initial: type[S] | Callable[[], S] | S,
        evolve: Evolve[S],
        version: int = 1,
        codec: StateCodec[S] | None = None,
        state_type: Any = None,
    ) -> None:
        """Make a read model and restore what was saved under its name and version.

        Args:
            store: The store.
            name: Names it.
            initial: The state before the first event, or a function that makes one.
            evolve: Returns the state after an event; one that does not matter leaves it as it is.
            version: Raise it whenever `evolve` or the state's shape changes: the model then starts from nothing, to
                be fed from the beginning. Each version has a row of its own, so that the one before can be fed on
                until the new one has caught up; remove its row when nobody needs it any more.
            codec: As in `Repository`.
            state_type: As in `Repository`.

        Raises:
            InvalidInputError: An argument cannot be meant.
            CorruptRowError: What was saved cannot be read. Raise the version and feed from the beginning.
            TryLaterError: DynamoDB did not answer in time.
        """
        name = checked_name(name)
        rule = Fold(f"read-model/{name}", checked_version(version, "version"), initial, evolve)
        self._rule = rule
        self._context = store.context
        self._key = snapshot_row.read_model_key(name, version)
        start = rule.start()
        self._codec: StateCodec[S] = codec or JsonStateCodec(type(start) if state_type is None else state_type)
        self._state = start
        self._positions: dict[str, Position] = {}
        self._applied = self._saved = 0
        self._restore()

    @property
    def state(self) -> S:
        """The state, a copy where it can be changed."""
        return own(self._state)

    @property
    def events_applied(self) -> int:
        """How many events are in the state, those of earlier processes included."""
        return self._applied

    def position_of(self, aggregate_id: str) -> Position | None:
        """Return the epoch and number of an aggregate's last event in the state."""
        return self._positions.get(scalar(aggregate_id))

    def feed(self, events: Iterable[RecordedEvent]) -> int:
        """Apply events, each aggregate's oldest first; return how many were new.

        Holes are let through, since a consumer may have asked for some types of events alone.
        """
        before = self._applied
        for event in events:
            position = (event.epoch, event.sequence_number)
            if position <= self._positions.get(event.aggregate_id, (0, 0)):
                continue
            self._state = self._rule.evolve(self._state, event)
            self._positions[event.aggregate_id] = position
            self._applied += 1
        return self._applied - before

    def save(self) -> bool:
        """Store state and positions; tell whether there was anything new to store.

        Raises:
            DecideAgainError: Somebody else has saved this model since. Create it again, and feed it again.
            LimitExceededError: State and positions are over 400 KB.
            ValueError: The codec refuses the state.
            TryLaterError: DynamoDB did not take it in time; saving again is safe.
        """
        if self._applied == self._saved:
            return False
        positions = {key: list(position) for key, position in self._positions.items()}
        text = jsontext.encode({"positions": positions, "state": self._codec.encode(self._state)}, "state")
        now_ms = self._context.runtime.now_ms()
        snapshot = Snapshot(self._key, self._applied, self._rule.stamp, self._context.record.epoch, now_ms, text)
        size = item_size(snapshot_row.encode(snapshot))
        if size > limits.ITEM_MAX_BYTES:
            raise LimitExceededError("state", limit=limits.ITEM_MAX_BYTES, actual=size, unit="bytes")
        self._put(snapshot)
        self._saved = self._applied
        return True

    def _put(self, snapshot: Snapshot) -> None:
        context = self._context
        caller = Caller(context.client, context.runtime, context.options.append_backoff, context.deadline)
        request = snapshot_row.swap_request(snapshot, context.tables.snapshots, replaces=self._saved)
        what = f"the save of read model {snapshot.fold!r}"
        # Repeatable: a later save that meets this one's effect finds its own state there.
        written = caller.write(context.client.put_item, what=what, is_repeatable=True, **request)
        if isinstance(written, Refused) and self._read() != request["Item"]:  # else it is an earlier attempt's effect
            raise DecideAgainError(
                f"read model {snapshot.fold!r} was saved by another feeder: make it again, and feed it again",
            )

    def _read(self) -> Any:
        context = self._context
        return context.caller.read(
            context.client.get_item,
            TableName=context.tables.snapshots,
            Key={"aggregateId": {"S": self._key}},
            ConsistentRead=True,
        ).get("Item")

    def _restore(self) -> None:
        item, table = self._read(), self._context.tables.snapshots
        if item is None:
            return
        found = snapshot_row.decode(item, table)
        if found.fold != self._rule.stamp or found.epoch != self._context.record.epoch:
            return
        try:
            saved = jsontext.decode(found.state)
            self._state = self._codec.decode(saved["state"])
            self._positions = {key: (epoch, number) for key, (epoch, number) in saved["positions"].items()}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _corrupt(item, table, error) from error
        self._applied = self._saved = found.version


def _corrupt(item: Any, table: str, error: Exception) -> CorruptRowError:
    reason = f"is not a saved read model ({error}): raise the model's version, and feed it from the beginning"
    return ItemReader(item, table).corrupt("state", reason)
