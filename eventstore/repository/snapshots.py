"""Reads and writes snapshots. Neither ever fails a load: without a snapshot the events are read."""

import logging
from dataclasses import dataclass
from typing import Generic, TypeVar

from eventstore import limits
from eventstore.context import StoreContext
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import ConditionFailedError, DynamoError
from eventstore.repository import snapshot_row
from eventstore.repository.snapshot_row import Snapshot
from eventstore.repository.state_codec import StateCodec
from eventstore.repository.stats import RepositoryCounters
from eventstore.rows.item import item_size

S = TypeVar("S")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found(Generic[S]):
    """A snapshot that may be used.

    Attributes:
        state: The state.
        version: Sequence number of the last event in it.
        taken_at_ms: When it was written.
    """

    state: S
    version: int
    taken_at_ms: int


class Snapshots(Generic[S]):
    """The snapshots of one fold."""

    def __init__(self, context: StoreContext, fold: str, codec: StateCodec[S], tally: RepositoryCounters) -> None:
        self._context = context
        self._fold = fold
        self._codec = codec
        self._tally = tally

    def read(self, key: str) -> Found[S] | None:
        """Return the snapshot of a key, by one eventually consistent read; None when there is none to use.

        An older snapshot than the newest costs a few events more, so half the price is the better choice.
        """
        table = self._context.tables.snapshots
        try:
            reply = calls.call(self._context.client.get_item, TableName=table, Key={"aggregateId": {"S": key}})
        except DynamoError as error:
            self._tally.add("snapshots_unread")
            _LOG.warning("snapshot of %r not read: %s", key, error)
            return None
        if "Item" not in reply:
            return None
        fault: Exception | str = "it is of another fold, version of one, or epoch, or cannot be read"
        snapshot = snapshot_row.usable(reply["Item"], table, fold=self._fold, epoch=self._context.record.epoch)
        if snapshot is not None:
            try:
                state = self._codec.decode(snapshot.state)
            except Exception as error:  # noqa: BLE001 - a users' codec may raise anything
                snapshot, fault = None, error
        if snapshot is None:
            self._tally.add("snapshots_ignored")
            _LOG.warning("snapshot of %r ignored: %s; the events are read instead", key, _words(fault))
            return None
        return Found(state, snapshot.version, snapshot.taken_at_ms)

    def write(self, key: str, state: S, version: int) -> bool:
        """Store a snapshot unless a newer one is there, by one attempt; tell whether it was stored."""
        try:
            text = self._codec.encode(state)
        except Exception as error:  # noqa: BLE001 - a users' codec may raise anything
            self._tally.add("snapshots_unencodable")
            _LOG.warning("snapshot of %r not written: %s", key, _words(error))
            return False
        context = self._context
        snapshot = Snapshot(key, version, self._fold, context.record.epoch, context.runtime.now_ms(), text)
        if item_size(snapshot_row.encode(snapshot)) > limits.ITEM_MAX_BYTES:
            self._tally.add("snapshots_too_large")
            _LOG.warning("snapshot of %r not written: it is larger than %d bytes", key, limits.ITEM_MAX_BYTES)
            return False
        try:
            calls.call(context.client.put_item, **snapshot_row.put_request(snapshot, context.tables.snapshots))
        except ConditionFailedError:
            self._tally.add("snapshots_superseded")
            return False
        except DynamoError as error:
            self._tally.add("snapshots_failed")
            _LOG.warning("snapshot of %r not written: %s", key, error)
            return False
        self._tally.add("snapshots_written")
        return True


def _words(fault: Exception | str) -> str:
    """Return what is wrong without what a codec may quote of the state: payloads stay out of logs."""
    return fault if isinstance(fault, str) else f"its codec raised {type(fault).__name__}"
