"""Deletes and notes that are asked for again until each is answered, within a bound."""

from collections.abc import Callable, Collection, Mapping, Sequence

from eventstore.backoff import Backoff
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.errors import DynamoError
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import DynamoClient, Runtime
from relay.destination import Park
from relay.outbox.row import RowId
from relay.outbox.writer import OutboxWriter
from relay.outbox.written import Done, Foreign, Later, Written


class InsistingWriter:
    """An `OutboxWriter` that does again what was put off, for those who wait until it is done.

    Args:
        client: The DynamoDB client.
        tables: Their names.
        runtime: Waiting, and randomness for the delays.
        backoff: Bound of the attempts in a row that settle nothing.
    """

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._writer = OutboxWriter(client, tables, runtime, backoff)
        self._caller = Caller(client, runtime, backoff)

    def delete(self, rows: Sequence[RowId]) -> dict[RowId, Done | Foreign]:
        """Delete rows of commits that every destination has.

        Raises:
            TryLaterError: Some rows may be left; they are owed, and delivered again at worst.
            SetUpError: As `Caller.read`.
        """
        return self._until_answered(self._writer.delete, rows, "the deletion of rows")

    def note(self, notes: Mapping[RowId, Collection[str]]) -> dict[RowId, Done | Foreign]:
        """Note which destinations have commits.

        Raises:
            TryLaterError: Some notes may be missing; those commits are delivered again at worst.
            SetUpError: As above.
        """
        return self._until_answered(
            lambda rows: self._writer.note({row: notes[row] for row in rows}), tuple(notes), "a note on rows"
        )

    def park(self, row: RowId, name: str, verdict: Park) -> Done | None:
        """See `OutboxWriter.park`."""
        return self._writer.park(row, name, verdict)

    def _until_answered(
        self, attempt: Callable[[Sequence[RowId]], dict[RowId, Written]], rows: Sequence[RowId], what: str
    ) -> dict[RowId, Done | Foreign]:
        answered: dict[RowId, Done | Foreign] = {}
        left = list(dict.fromkeys(rows))
        while left:  # each turn answers for some rows, or raises
            last: DynamoError | None = None
            for _ in self._caller.attempts():
                before, put_off = len(left), []
                for row, answer in attempt(left).items():
                    if isinstance(answer, Later):
                        put_off.append(row)
                        last = answer.cause
                    else:
                        answered[row] = answer
                left = put_off
                if len(left) < before:
                    break
            else:
                raise self._caller.gave_up(last, what) from last
        return answered
