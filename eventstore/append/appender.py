"""Carries out appends: resolves expected versions, sends one frozen transaction until it is decided."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from eventstore import backoff as bounds
from eventstore import event_codec, validation
from eventstore.append import also as own_rows
from eventstore.append import await_delivery, commit, key_rows, refusal, transaction, verdict
from eventstore.append.commit import PreparedCommit
from eventstore.append.metrics import AppendCounts, Counters, StoreMetrics
from eventstore.append.transaction import Beside, Transaction
from eventstore.append.unchanged import Unchanged
from eventstore.append.verdict import Again, Cause
from eventstore.backoff import Deadline
from eventstore.context import StoreContext
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import DynamoError
from eventstore.dynamodb.limiter import Limiter, Signal
from eventstore.errors import (
    EventStoreError,
    OutcomeUnknownError,
    RequestRefusedError,
    SetUpError,
    ThrottledError,
    TryLaterError,
    UnreachableError,
    WrongExpectedVersionError,
)
from eventstore.expectation import Expectation, accepts
from eventstore.ids import uuid7
from eventstore.model import Append, AppendResult, Waiter
from eventstore.payload.row_write import RowWrite
from eventstore.read import history
from eventstore.rows.idempotency import KeyRow

_LOG = logging.getLogger(__name__)

_CAUSES = {
    Cause.THROTTLED: AppendCounts(throttles=1),
    Cause.CONFLICT: AppendCounts(conflicts=1),
    Cause.IN_PROGRESS: AppendCounts(conflicts=1),
    Cause.LOST: AppendCounts(lost_replies=1),
    Cause.UNREACHED: AppendCounts(unreached=1),
}


OnPrepared = Callable[[Sequence[PreparedCommit]], None]
"""Told of what is about to be sent, in the form in which it will be stored; what it raises ends the append."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call for one or several appends.

    Attributes:
        deadline_seconds: The call's time; None for the store's own.
        traceparent: The trace the caller is in.
        fields: For each append its path in the caller's arguments, such as `appends[1].`; one without a path is alone.
        also: Writes of the caller's own that belong to no single append.
        unchanged: Aggregates that must be as they were read.
        on_prepared: See there.
    """

    deadline_seconds: float | None
    traceparent: str | None
    fields: Sequence[str] = ("",)
    also: Sequence[RowWrite] = ()
    unchanged: Sequence[Unchanged] = ()
    on_prepared: OnPrepared | None = None

    @property
    def whole(self) -> str:
        """What to name when all together are too large."""
        return self.fields[0].partition("[")[0] or "events"


@dataclass(frozen=True, slots=True)
class _Stale:
    """Aggregates were not at the version that was sent.

    Attributes:
        reached: By index of their appends, a version that each has reached; 0 when none is known.
        attempts: Requests sent until that was known.
    """

    reached: Mapping[int, int]
    attempts: int


class Appender:
    """Appends for one store; threads share it, and with it its limiter.

    Args:
        context: The store's parts.
        check_open: Raises when the store is closed; asked at the start of each call.
    """

    def __init__(self, context: StoreContext, check_open: Callable[[], None] = lambda: None) -> None:
        self._context = context
        self._check_open = check_open
        self._counters = Counters(context.runtime)
        self._limiter = Limiter(context.runtime, context.options.limiter, context.options.limiter_queue_max)
        self._layout = commit.Layout(context.tables, context.record.index_shards, context.options.embed_max_bytes)
        self._waiter: Waiter = self.wait_settled

    def metrics(self) -> StoreMetrics:
        """Return what was done so far."""
        return StoreMetrics(self._counters.snapshot(), self._limiter.state())

    def append(self, appends: Sequence[Append], call: Call) -> list[AppendResult]:
        """Store appends to different aggregates in one transaction.

        Args:
            appends: One per aggregate; what they hold is checked here.
            call: What holds for all of them.

        Raises:
            As `EventStore.append`.
        """
        self._check_open()
        seconds = call.deadline_seconds
        if seconds is not None:
            validation.check_seconds(seconds, "deadline_seconds")
        deadline = Deadline(self._context.runtime, seconds or self._context.options.append_deadline_seconds)
        try:
            beside = self._beside(appends, call)
            taken = [self._take(append, field) for append, field in zip(appends, call.fields, strict=True)]
            if call.whole != "events":
                validation.check_size(taken, len(call.also) + len(call.unchanged), call.whole)
            results = self._rounds(taken, deadline, call, beside)
        except (TryLaterError, OutcomeUnknownError):
            self._counters.add(AppendCounts(gave_up=1))
            raise
        except EventStoreError:
            self._counters.add(AppendCounts(refused=1))
            raise
        events = sum(result.version - result.first_sequence + 1 for result in results)
        repeats = sum(result.already_stored for result in results)
        self._counters.add(AppendCounts(appends=len(results), events=events, repeats=repeats))
        return results

    def _beside(self, appends: Sequence[Append], call: Call) -> Beside:
        """Return what goes along, the caller's writes checked and encoded."""
        tables = self._context.tables
        writes = [
            write
            for append, field in zip(appends, call.fields, strict=True)
            for write in own_rows.take(append.also, f"{field}also", tables)
        ]
        writes += own_rows.take(call.also, "also", tables)
        own_rows.check_distinct(writes)
        return Beside(writes, call.unchanged)

    def _take(self, append: Append, field: str) -> Append:
        """Return an append whose events are checked and encoded, so that only sizes are left to be looked at."""
        validation.check_append(append, field)
        events = event_codec.storable(self._context.encoder, append.aggregate, append.events, field)
        return replace(append, events=events)

    def _rounds(self, appends: Sequence[Append], deadline: Deadline, call: Call, beside: Beside) -> list[AppendResult]:
        """Send with the current versions, and again with newer ones where the caller leaves the version to us.

        A new round is a new commit under a new id: the refused one can never be stored any more, since its place is
        taken for ever.
        """
        backoff, attempts = self._context.options.contention_backoff, 0
        for round_ in bounds.attempts(self._context.runtime, backoff, deadline):
            if round_ > 1:
                _LOG.info(
                    "retry: round %d of %d at an append to aggregate %r, after: another writer was faster",
                    round_,
                    backoff.attempts_max,
                    appends[0].aggregate.id,
                )
            prepared = [
                self._prepare(append, deadline, field, call.traceparent)
                for append, field in zip(appends, call.fields, strict=True)
            ]
            assembled = transaction.assemble(prepared, call.whole, beside, table=self._context.tables.events)
            if call.on_prepared is not None:
                call.on_prepared(prepared)
            sent = self._send(assembled, deadline, attempts)
            if not isinstance(sent, _Stale):
                return sent
            self._counters.add(AppendCounts(stale=1))
            attempts = sent.attempts
            for index, at_least in sent.reached.items():
                self._raise_unless_open(appends[index], at_least, deadline)
        raise ThrottledError(
            f"other writers kept getting ahead at aggregate {appends[0].aggregate.id!r}",
            retry_after_seconds=backoff.cap_seconds,
        )

    def _prepare(self, append: Append, deadline: Deadline, field: str, traceparent: str | None) -> PreparedCommit:
        expected = append.expected_version
        if isinstance(expected, Expectation):
            version = history.current_version(self._context.until(deadline), append.aggregate.id)
            if not accepts(expected, version):
                raise WrongExpectedVersionError(append.aggregate.id, expected=expected, actual=version)
            expected = version
        runtime = self._context.runtime
        stamp = commit.Stamp(
            commit_id=uuid7(runtime),
            event_ids=tuple(uuid7(runtime, counter=index) for index in range(len(append.events))),
            now_ms=runtime.now_ms(),
            epoch=self._context.record.epoch,
            traceparent=traceparent,
        )
        return commit.prepare(append, expected, stamp, self._layout, field=field)

    def _raise_unless_open(self, append: Append, at_least: int, deadline: Deadline) -> None:
        """Let an append continue when its version is left to us; it is read again. A number is the caller's choice."""
        if isinstance(append.expected_version, int):
            context = self._context.until(deadline)
            raise refusal.other_version(context, append.aggregate.id, append.expected_version, at_least)

    def _send(self, sent: Transaction, deadline: Deadline, attempts_before: int) -> list[AppendResult] | _Stale:
        """Send a transaction until it is decided, or attempts or time are used up."""
        backoff, runtime, client = self._context.options.append_backoff, self._context.runtime, self._context.client
        maybe_stored, last = False, Again(Cause.THROTTLED)
        error: DynamoError | None = None
        attempt = 0
        while attempt < backoff.attempts_max:
            if attempt and not bounds.pause(runtime, backoff.delay_seconds(attempt, runtime.uniform()), deadline):
                break
            slot = self._limiter.enter(deadline.left_seconds())
            left = deadline.left_seconds()
            if slot is None:
                break
            attempt += 1
            self._note_retry(sent, attempt, error)
            signal = Signal.SAYS_NOTHING
            self._counters.add(AppendCounts(attempts=1))
            try:
                calls.call(client.transact_write_items, within_seconds=left, **sent.request)
                signal = Signal.WENT_WELL
                return self._results(sent, attempts_before + attempt, already_stored=False)
            except DynamoError as raised:
                error = raised
                judged = verdict.judge(raised, sent)
                if judged == Again(Cause.THROTTLED):
                    signal = Signal.THROTTLED
            finally:
                self._limiter.leave(slot, signal)
            if not isinstance(judged, Again):
                context = self._context.until(deadline)
                judged = self._unless_ours(context, judged, sent, error) if maybe_stored else judged
                decided = self._decide(context, judged, sent, error, attempts_before + attempt)
                if decided is not None:
                    return decided
                judged = Again(Cause.CONFLICT)
            last = judged
            maybe_stored = maybe_stored or judged.maybe_stored
            self._counters.add(_CAUSES[judged.cause])
        if maybe_stored and error is not None:
            raise refusal.unknown(sent, error) from error
        raise self._gave_up(sent, last, attempt, error) from error

    def _note_retry(self, sent: Transaction, attempt: int, error: DynamoError | None) -> None:
        if attempt > 1:
            _LOG.info(
                "retry: attempt %d of %d at commit %s of aggregate %r, after: %s",
                attempt,
                self._context.options.append_backoff.attempts_max,
                sent.commits[0].commit_id,
                sent.commits[0].aggregate.id,
                error,
            )

    def _unless_ours(
        self, context: StoreContext, judged: verdict.Verdict, sent: Transaction, error: DynamoError
    ) -> verdict.Verdict:
        """Return a verdict on an attempt after another one that may have stored the commits.

        Raises:
            OutcomeUnknownError: It is of this attempt alone; or the table could not be asked.
        """
        if isinstance(judged, verdict.SetUp | verdict.Defect):
            raise refusal.unknown(sent, error) from error
        is_beside = isinstance(judged, verdict.Moved | verdict.RowsRefused | verdict.RowUnfit)
        return verdict.OwnCommit() if is_beside and self._is_there(context, sent) else judged

    def _decide(
        self,
        context: StoreContext,
        judged: verdict.Verdict,
        sent: Transaction,
        error: DynamoError,
        attempts: int,
    ) -> list[AppendResult] | _Stale | None:
        """Return the result of a verdict, or raise it; None when nothing is decided after all."""
        match judged:
            case verdict.OwnCommit():
                return self._results(sent, attempts, already_stored=True)
            case verdict.KeysUsed(items):
                return self._by_keys(context, sent, key_rows.complete(context, sent, items), attempts)
            case verdict.Look(code, message):
                if not self._is_there(context, sent):
                    raise RequestRefusedError(code, message) from error
                return self._results(sent, attempts, already_stored=True)
            case verdict.Defect(code, message):
                raise RequestRefusedError(code, message) from error
            case verdict.SetUp() | Again():
                raise refusal.set_up(context, error, sent) from error
            case _:
                return self._refuse(context, judged, sent, error, attempts)

    def _refuse(
        self,
        context: StoreContext,
        judged: refusal.Refusal | verdict.OtherVersion,
        sent: Transaction,
        error: DynamoError,
        attempts: int,
    ) -> list[AppendResult] | _Stale:
        """Return or raise the outcome of a refused type, number or row.

        A key outranks it, also where DynamoDB did not show the key's row: a caller that has reloaded repeats at another
        version, and a row that must not be there is there after the first time.
        """
        by_keys = self._by_keys(context, sent, key_rows.complete(context, sent, {}), attempts)
        if by_keys is not None:
            return by_keys
        if isinstance(judged, verdict.OtherVersion):
            return _Stale(judged.reached, attempts)
        raised = refusal.error_of(context, judged, sent)
        raise raised from raised.__cause__ or error

    def _by_keys(
        self, context: StoreContext, sent: Transaction, rows: Mapping[int, KeyRow], attempts: int
    ) -> list[AppendResult] | None:
        """Return the first results of commits whose keys were used before; None when no key was."""
        if not rows:
            return None
        key_rows.check(context, sent, rows)
        key_rows.wait_readable(context, rows.values())
        return [
            AppendResult(
                aggregate=each.aggregate,
                commit_id=rows[index].commit_id,
                first_sequence=rows[index].first,
                version=rows[index].last,
                already_stored=True,
                attempts=attempts,
                waiter=self._waiter,
            )
            for index, each in enumerate(sent.commits)
        ]

    def _is_there(self, context: StoreContext, sent: Transaction) -> bool:
        """Tell whether the first event of the transaction is in the table, by a read that no write can be ahead of.

        Raises:
            OutcomeUnknownError: The table could not be asked, so the commits are stored or not.
        """
        first = sent.commits[0].events[0]
        try:
            stored = await_delivery.stored_commit_id(context, first.aggregate_id, first.sequence_number)
        except (TryLaterError, SetUpError) as error:
            raise refusal.unknown(sent, error) from error
        return stored == first.commit_id

    def _results(self, sent: Transaction, attempts: int, *, already_stored: bool) -> list[AppendResult]:
        return [
            AppendResult(
                aggregate=each.aggregate,
                commit_id=each.commit_id,
                first_sequence=each.events[0].sequence_number,
                version=each.events[-1].sequence_number,
                already_stored=already_stored,
                attempts=attempts,
                waiter=self._waiter,
            )
            for each in sent.commits
        ]

    def wait_settled(self, result: AppendResult, timeout_seconds: float, destination: str | None) -> None:
        """Wait for the destinations; see `EventStore.wait_settled`."""
        self._check_open()
        validation.check_seconds(timeout_seconds, "timeout_seconds")
        await_delivery.until_settled(self._context, result, timeout_seconds, destination)

    def _gave_up(self, sent: Transaction, last: Again, attempts: int, error: DynamoError | None) -> TryLaterError:
        """Return what is known when no attempt was decided, and none may have stored anything."""
        first = sent.commits[0]
        if last.cause is Cause.UNREACHED:
            return UnreachableError(
                f"the append to aggregate {first.aggregate.id!r} never reached DynamoDB in {attempts} attempts:"
                f" {error}. Check the endpoint, or run `make up`",
            )
        waits = self._limiter.retry_after_seconds()
        why = f"was refused {attempts} times ({last.cause.value})" if attempts else "did not get its turn in time"
        return ThrottledError(
            f"the append to aggregate {first.aggregate.id!r} {why}",
            retry_after_seconds=max(waits, self._context.options.append_backoff.ceiling_seconds(max(attempts, 1))),
        )
