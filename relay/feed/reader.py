"""One shard, read page by page from a position on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import (
    DeniedError,
    DynamoError,
    NotAppliedError,
    NotFoundError,
    OutcomeLostError,
    RefusedError,
    UnusableEndpointError,
)
from eventstore.ports import StreamsClient
from eventstore.rows.outbox import OutboxRow
from relay import metrics
from relay.feed.change import of_record, position_of, written_at_ms
from relay.leases.position import Position
from relay.metrics import SILENT, Meter
from relay.outbox.row import UnreadableRow

PAGE_MAX_RECORDS = 1_000
"""Records in one GetRecords. Source: AWS, DynamoDB Streams API reference of GetRecords."""


RENEWALS_MAX = 2
"""How often an iterator that is of no more use is replaced at once, within one read."""

EMPTY_HORIZON_MAX = 20
"""How many reads in a row may find that the oldest record is gone just where it was asked for, before that is a fault.
DynamoDB Local says so of a shard that nothing was written to yet; on AWS it is a race that the next read wins."""


class FeedUnavailableError(Exception):
    """The feed did not answer this time; ask again after a pause."""


class ShardLostError(Exception):
    """The shard cannot be read and nobody can say that it is finished: release it and look at the feed again."""


class FeedDeniedError(ShardLostError):
    """The credentials may not read the shard; nor, as rights are given per stream, its neighbours."""


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One page of a shard.

    Attributes:
        rows: The commits that its records speak of.
        unreadable: Rows that say not even where they stand.
        records: How many change records it had, of any kind.
        position: Of its last record that says it; None when none does.
        oldest_at_ms: When its first record was written, by DynamoDB's clock (to the second); None when it has none,
            or when that does not say it.
        newest_at_ms: When its last record was written, as above.
        ended: The shard is closed and this is its last page.
    """

    rows: tuple[OutboxRow, ...]
    unreadable: tuple[UnreadableRow, ...]
    records: int
    position: Position | None
    oldest_at_ms: int | None
    newest_at_ms: int | None
    ended: bool


_TRIMMED = "TrimmedDataAccessException"
_NOTHING = FeedPage((), (), 0, None, None, None, ended=False)


class ShardReader:
    """Reads one shard. Errors never look like its end."""

    def __init__(
        self,
        client: StreamsClient,
        stream_arn: str,
        shard_id: str,
        after: Position | None,
        table: str,
        meter: Meter = SILENT,
    ) -> None:
        """Start after a position, or at the oldest record there is: TRIM_HORIZON, never LATEST."""
        self._client = client
        self._stream_arn = stream_arn
        self._shard_id = shard_id
        self._after = after
        self._table = table
        self._meter = meter
        self._iterator: str | None = None
        self._empty_horizons = 0
        self._log = structlog.get_logger().bind(shard=shard_id)

    def next_page(self) -> FeedPage:
        """Return the next page, which may be empty.

        Raises:
            FeedUnavailableError: Throttled, out of reach, or the reply was cut short. Nothing was passed over.
            FeedDeniedError: The credentials may not read it.
            ShardLostError: The shard is gone or refuses to be read.
        """
        for _ in range(RENEWALS_MAX + 1):
            try:
                reply = self._ask()
            except RefusedError as error:
                self._recover(error)
                last = error
            else:
                self._empty_horizons = 0
                return self._page(reply)
        if last.code == _TRIMMED and self._after is None and self._empty_horizons < EMPTY_HORIZON_MAX:
            self._empty_horizons += 1
            return _NOTHING
        raise FeedUnavailableError(str(last)) from last

    def _ask(self) -> Mapping[str, Any]:
        try:
            if self._iterator is None:
                self._iterator = self._open()
            return calls.call(self._client.get_records, ShardIterator=self._iterator, Limit=PAGE_MAX_RECORDS)
        except (NotAppliedError, OutcomeLostError, UnusableEndpointError) as error:
            raise FeedUnavailableError(str(error)) from error  # a proxy that is started again says nothing of the shard
        except RefusedError:
            raise
        except NotFoundError as error:
            raise ShardLostError(str(error)) from error
        except DeniedError as error:
            raise FeedDeniedError(str(calls.public_error(error))) from error
        except DynamoError as error:
            raise ShardLostError(str(error)) from error

    def _open(self) -> str:
        place: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if self._after is not None:
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": str(self._after)}
        reply = calls.call(
            self._client.get_shard_iterator,
            StreamArn=self._stream_arn,
            ShardId=self._shard_id,
            **place,
        )
        if not reply.get("ShardIterator"):
            raise OutcomeLostError("the reply lacks ShardIterator")
        return str(reply["ShardIterator"])

    def _recover(self, error: RefusedError) -> None:
        """Prepare for the next attempt, or give the shard up when none is worth it; says what a person should know."""
        self._iterator = None
        if error.code == "ExpiredIteratorException":
            return  # a new one continues after the last record read
        if error.code == _TRIMMED:
            if self._after is not None:  # else nothing was passed over: the oldest record went as it was asked for
                self._meter.count(metrics.FEED_TRIMMED)
                self._log.warning("feed.trimmed", after=str(self._after))  # the sweep delivers what was missed
            self._after = None
            return
        raise ShardLostError(str(error)) from error

    def _page(self, reply: Mapping[str, Any]) -> FeedPage:
        if "Records" not in reply:  # a body that was cut short parses as a reply without records
            raise FeedUnavailableError("the reply lacks Records")
        records = reply["Records"]
        found = [of_record(record, self._table) for record in records]
        self._tell_of_copies([row for row in found if isinstance(row, OutboxRow) and row.copy_fault is not None])
        position = next(filter(None, map(position_of, reversed(records))), None)
        self._after = position or self._after  # a page whose records name no place is read again after a pause at worst
        self._iterator = reply.get("NextShardIterator")
        return FeedPage(
            rows=tuple(row for row in found if isinstance(row, OutboxRow)),
            unreadable=tuple(row for row in found if isinstance(row, UnreadableRow)),
            records=len(records),
            position=position,
            oldest_at_ms=written_at_ms(records[0]) if records else None,
            newest_at_ms=written_at_ms(records[-1]) if records else None,
            ended=self._iterator is None,
        )

    def _tell_of_copies(self, rows: Sequence[OutboxRow]) -> None:
        """Say that commits are read from the events table because the copy in their rows is of no use; once a page."""
        if rows:
            first = rows[0]
            self._log.warning(
                "row.copy_unreadable",
                aggregate_id=first.aggregate_id,
                last=first.last,
                reason=first.copy_fault,
                commits=len(rows),
            )
