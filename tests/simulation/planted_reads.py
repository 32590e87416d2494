"""Deliberate bugs of the store's side: of reads, followers, walks, appends, repositories and imports; see `bugs`."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any
from unittest.mock import patch

from eventstore.append import also, await_delivery, bulk, key_rows, refusal
from eventstore.append import appender as appenders
from eventstore.append.appender import Appender
from eventstore.append.transaction import Transaction
from eventstore.append.unchanged import Unchanged
from eventstore.cli.import_run import ImportRun
from eventstore.cli.input import import_lines
from eventstore.errors import WrongExpectedVersionError
from eventstore.model import AppendResult
from eventstore.read import gapless
from eventstore.read.pages import pages
from eventstore.repository import cache, snapshot_row
from eventstore.repository.deciding.transactor import Transactor
from eventstore.repository.folding import Folded, fold, own
from eventstore.repository.loader import StateLoader
from eventstore.repository.read_model import ReadModel
from eventstore.timeline import query, reader
from eventstore.timeline.partition_reader import PartitionReader
from eventstore.timeline.place import Place
from eventstore.timeline.query import ByTime, EventQuery
from eventstore.timeline.reader import Page
from eventstore.timeline.seen import Seen
from eventstore.walk import aggregate_ids
from eventstore.walk.segment_reader import SegmentReader
from eventstore.walk.token import WalkToken
from tests.simulation.bugs import planted

_MISSING = "a timeline misses nothing that has settled"
_NOT_FOLLOWED = "a follower gets every event in time"
_WRONG_STATE = "a state is made of what is stored"
_STALE_DECISION = "what is decided is stored upon what it was decided on"


@planted(
    "limited-read-ends-with-its-page",
    "a read misses nothing that was stored before",
    "a read gives whole commits",
)
def _limited_read_ends_with_its_page() -> Iterator[None]:
    """A read with a limit takes what its first page holds for all there is."""

    def first(context: Any, aggregate_id: str, span: Any) -> Iterator[Any]:
        for page in pages(context, aggregate_id, span):
            yield page
            if span.limit is not None:
                return

    with patch.object(gapless, "pages", first):
        yield


@planted("backwards-read-loses-a-page-border", _MISSING)
def _backwards_read_loses_a_page_border() -> Iterator[None]:
    """Backwards, the last entry of an index's page is passed over when another page follows."""
    honest = PartitionReader._entries

    def entries(self: PartitionReader, low: int, high: int) -> Iterator[Place]:
        if self._backwards and not isinstance(self._context, LosingContext):
            self._context = LosingContext(self._context)  # type: ignore[assignment]
        return honest(self, low, high)

    with patch.object(PartitionReader, "_entries", entries):
        yield


class LosingContext:
    """A store's context whose pages lack their last row when another page follows."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def caller(self) -> Any:
        """Makes the calls: this one, since it is all that a reader asks of its caller."""
        return self

    def pages(self, *arguments: Any, **named: Any) -> Iterator[Any]:
        """Yield the replies of a Query."""
        for reply in self._inner.caller.pages(*arguments, **named):
            yield {**reply, "Items": reply["Items"][:-1]} if "LastEvaluatedKey" in reply else reply


@planted("page-token-off-by-one", _MISSING)
def _page_token_off_by_one() -> Iterator[None]:
    """The token stands behind the event that only told whether there is another page."""
    honest = reader.read_page

    def read_page(context: Any, runs: Any, wanted: EventQuery, size: int, *rest: Any) -> Page:
        page = honest(context, runs, wanted, size + 1, *rest)
        return Page(page.events[:size], page.token) if len(page.events) > size else page

    with patch.object(reader, "read_page", read_page):
        yield


@planted("range-leaves-out-its-last-moment", _MISSING)
def _range_leaves_out_its_last_moment() -> Iterator[None]:
    """A read by time ends a millisecond early."""
    honest = query.stages

    def stages(wanted: EventQuery, *rest: Any) -> Iterator[Any]:
        if isinstance(wanted, ByTime) and wanted.until_ms > wanted.from_ms:  # type: ignore[operator]
            wanted = replace(wanted, until_ms=wanted.until_ms - 1)  # type: ignore[operator]
        return honest(wanted, *rest)

    with patch.object(reader, "stages", stages):
        yield


@planted(
    "range-goes-beyond-its-end",
    "a read keeps its bounds",
    "a read gives nothing twice",
)
def _range_goes_beyond_its_end() -> Iterator[None]:
    """The end of a range counts as part of it."""
    honest = query._both_ends

    def both_ends(wanted: EventQuery) -> tuple[int, int]:
        first, behind = honest(wanted)
        return first, behind + (wanted.until_ms is not None)

    with patch.object(query, "_both_ends", both_ends):
        yield


@planted("a-write-shard-is-not-asked", _MISSING, _NOT_FOLLOWED)
def _a_write_shard_is_not_asked() -> Iterator[None]:
    """Whoever reads an index leaves out its last write shard."""
    honest = query._sharded
    with patch.object(query, "_sharded", lambda *arguments: honest(*arguments)[:-1]):
        yield


@planted("follower-passes-over-equal-timestamps", _NOT_FOLLOWED)
def _follower_passes_over_equal_timestamps() -> Iterator[None]:
    """An event with the timestamp of the one before it counts as given."""
    honest = Seen.is_new

    def is_new(self: Seen, place: Place) -> bool:
        is_same = self._last_ms == place.timestamp_ms
        return honest(self, place) and not is_same

    with patch.object(Seen, "is_new", is_new):
        yield


@planted("follower-does-not-look-back", _NOT_FOLLOWED)
def _follower_does_not_look_back() -> Iterator[None]:
    """A look begins with what is newer than all that was given, so that a late entry of an index is never met."""
    honest = Seen.end_pass

    def end_pass(self: Seen) -> None:
        honest(self)
        self.low_ms = max(self.low_ms, self._last_ms or 0)

    with patch.object(Seen, "end_pass", end_pass):
        yield


@planted("follower-forgets-what-it-gave", "a follower gives nothing twice")
def _follower_forgets_what_it_gave() -> Iterator[None]:
    """What lies before the last event given is forgotten, though the next look meets it again."""
    honest = Seen.end_pass

    def end_pass(self: Seen) -> None:
        honest(self)
        self._known = dict.fromkeys(place for place in self._known if place.timestamp_ms >= (self._last_ms or 0))

    with patch.object(Seen, "end_pass", end_pass):
        yield


@planted("walk-leaves-a-commit-half", "a walk gives whole commits", "a walk gives all that was stored before")
def _walk_leaves_a_commit_half() -> Iterator[None]:
    """What a page did not show of an aggregate's last commit is not asked for."""
    with patch.object(SegmentReader, "_rest_of_commit", lambda _: iter(())):
        yield


@planted("walk-goes-on-in-other-tables", "a token of former tables is refused")
def _walk_goes_on_in_other_tables() -> Iterator[None]:
    """Nobody looks which tables a token is about."""
    with patch.object(WalkToken, "check", lambda *_: None):
        yield


@planted("every-commit-lists-its-aggregate", "each aggregate is listed once")
def _every_commit_lists_its_aggregate() -> Iterator[None]:
    """Aggregates are taken from their second events as well."""

    class Either(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            return other in {"1", "2"}

        __hash__ = str.__hash__

    with patch.object(aggregate_ids, "_FIRST", Either("1")):
        yield


@planted("numbers-of-the-first-for-all", "what is acknowledged is stored")
def _numbers_of_the_first_for_all() -> Iterator[None]:
    """Of appends that go together, each gets the numbers of the first."""
    honest = Appender._results

    def results(self: Appender, sent: Transaction, *rest: Any, **named: Any) -> list[AppendResult]:
        made = honest(self, sent, *rest, **named)
        sizes = [result.version - result.first_sequence for result in made]
        first = made[0].first_sequence
        return [
            replace(each, first_sequence=first, version=first + size) for each, size in zip(made, sizes, strict=True)
        ]

    with patch.object(Appender, "_results", results):
        yield


@planted("appends-of-one-aggregate-at-a-time", "appends of one aggregate keep their order")
def _appends_of_one_aggregate_at_a_time() -> Iterator[None]:
    """In bulk, appends of one aggregate are sent at the same time."""
    with patch.object(bulk, "_line_of", lambda job: f"index {job.index}"):
        yield


@planted("changed-content-under-a-key", "changed content under a key is refused")
def _changed_content_under_a_key() -> Iterator[None]:
    """Whatever comes under a key that was used is taken for a repeat."""
    honest = key_rows.check

    def check(context: Any, sent: Transaction, rows: Any) -> None:
        if len(rows) < len(sent.commits):
            honest(context, sent, rows)

    with patch.object(key_rows, "check", check), patch.object(key_rows, "check_command", lambda *_: None):
        yield


@planted(
    "conflict-names-an-old-version",
    "a conflict names the version that is there",
    "a writer is told what is true",
)
def _conflict_names_an_old_version() -> Iterator[None]:
    """The error says what the refusal has shown, and not what is there."""

    def other_version(_context: Any, aggregate_id: str, expected: int, at_least: int) -> WrongExpectedVersionError:
        return WrongExpectedVersionError(aggregate_id, expected=expected, actual=at_least)

    with patch.object(refusal, "other_version", other_version):
        yield


@planted(
    "new-counts-as-existing",
    "what is stored meets what was expected",
    "an append is stored where it was expected",
)
def _new_counts_as_existing() -> Iterator[None]:
    """`EXISTS` is met by an aggregate without events."""
    with patch.object(appenders, "accepts", lambda *_: True):
        yield


@planted("row-condition-dropped", "a condition of a row is kept")
def _row_condition_dropped() -> Iterator[None]:
    """A row that goes along replaces whatever is there."""
    honest = also._expressions

    def expressions(write: Any, field: str) -> Iterator[tuple[str, str]]:
        return (each for each in honest(write, field) if each[0] != "ConditionExpression" or hasattr(write, "key"))

    def unchecked(*_: Any) -> None:
        """Placeholders that nothing names any more are no matter."""

    def names(write: Any, field: str) -> Any:
        return honest_names(write, field) if hasattr(write, "key") else {}

    honest_names = also._names
    with (
        patch.object(also, "_expressions", expressions),
        patch.object(also, "_check_placeholders", unchecked),
        patch.object(also, "_names", names),
    ):
        yield


@planted("settled-when-one-has-it", "what is said to have arrived has")
def _settled_when_one_has_it() -> Iterator[None]:
    """A commit counts as settled once any destination has it."""
    honest = await_delivery._is_settled

    def is_settled(row: Any, *rest: Any) -> bool:
        return bool(row is not None and row.delivered) or honest(row, *rest)

    with patch.object(await_delivery, "_is_settled", is_settled):
        yield


@planted("snapshot-of-before-a-restore", _WRONG_STATE)
def _snapshot_of_before_a_restore() -> Iterator[None]:
    """A snapshot is used whatever epoch it is of, also one that is newer than the store."""

    def usable(item: Any, table: str, *, fold: str, epoch: int) -> Any:
        del epoch
        snapshot = snapshot_row.decode(item, table)
        return snapshot if snapshot.fold == fold else None

    with patch.object(snapshot_row, "usable", usable):
        yield


@planted("memory-older-than-was-asked-for", "a state is as new as was asked for")
def _memory_older_than_was_asked_for() -> Iterator[None]:
    """Who asks for the newest state gets what the policy allows: 0 is taken for nothing said."""
    honest = StateLoader.load

    def load(self: Any, aggregate_id: str, key: str, *, max_staleness_seconds: float | None = None) -> Any:
        return honest(self, aggregate_id, key, max_staleness_seconds=max_staleness_seconds or None)

    with patch.object(StateLoader, "load", load):
        yield


@planted("memory-hands-out-its-own", _WRONG_STATE, _STALE_DECISION)
def _memory_hands_out_its_own() -> Iterator[None]:
    """A state in memory is not copied, so that whoever loads it changes it."""
    with patch.object(cache, "_with_own_state", lambda entry: entry):
        yield


@planted("upcasters-left-out-of-what-was-decided", _WRONG_STATE)
def _upcasters_left_out_of_what_was_decided() -> Iterator[None]:
    """The state after a transaction is folded from the events as they are stored."""

    def after(self: Any, before: Any, commit: Any) -> Any:
        return fold(self._rule, Folded(own(before.state), before.version), commit.events)

    with patch.object(Transactor, "_after", after):
        yield


@planted("decision-of-the-first-attempt", _STALE_DECISION)
def _decision_of_the_first_attempt() -> Iterator[None]:
    """After a conflict the events of the first decision are appended to the newest state."""
    honest = Transactor.run

    def run(self: Any, aggregates: Any, decide: Callable[[Any], Any], terms: Any) -> Any:
        made: list[Any] = []

        def once(states: Any) -> Any:
            if not made:
                made.append(decide(states))
            return made[0]

        return honest(self, aggregates, once, terms)

    with patch.object(Transactor, "run", run):
        yield


@planted("aggregates-looked-at-may-move", _STALE_DECISION)
def _aggregates_looked_at_may_move() -> Iterator[None]:
    """Those that a decision rests on, and that get no events, are not checked."""
    honest = Unchanged.action

    def action(self: Unchanged, table: str) -> Any:
        made = honest(self, table)
        made.request["ConditionCheck"]["ConditionExpression"] = "attribute_not_exists(nothing)"
        return made

    with patch.object(Unchanged, "action", action):
        yield


@planted(
    "read-model-forgets-its-positions", "a read model applies every event once", "a read model is of what is stored"
)
def _read_model_forgets_its_positions() -> Iterator[None]:
    """A read model that is restored has its state, and not what is in it."""
    honest = ReadModel._restore

    def restore(self: Any) -> None:
        honest(self)
        self._positions = {}

    with patch.object(ReadModel, "_restore", restore):
        yield


@planted("import-names-lines-anew", "a request is stored once")
def _import_names_lines_anew() -> Iterator[None]:
    """The key of a line is of its run as well, so that a run which resumes another stores it again."""
    honest, runs = import_lines.plan, count()

    def plan(source: Any, name: str) -> Iterator[Any]:
        return honest(source, f"{name} {next(runs)}")

    with patch.object(import_lines, "plan", plan):
        yield


@planted("import-resumes-too-late", "an import leaves out no line")
def _import_resumes_too_late() -> Iterator[None]:
    """The line to go on with is the last that was left, and not the first."""

    def leave_off(self: ImportRun, number: int, reason: str) -> None:
        self._report.next_line = number
        self._report.reason = self._report.reason or reason

    with patch.object(ImportRun, "_leave_off", leave_off):
        yield
