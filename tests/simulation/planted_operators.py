"""Deliberate bugs of what operators use, of searches, of the file, and of mixed fleets; see `bugs`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from weakref import WeakSet

from eventstore.rows.outbox import OutboxRow
from eventstore.search import dsl
from eventstore.search.event_search import EventSearch
from eventstore.search.lag import IndexLag
from relay.cli import status as status_command
from relay.delivery.flow import Flow
from relay.destinations.file import local_file
from relay.destinations.file.local_file import LineFile
from relay.leases.fleet import FleetSettings
from relay.leases.keeper import Keeper
from relay.observing import readiness
from relay.observing.http.health import Check
from relay.operating import gaps
from relay.operating.parked.drop import Dropper
from relay.operating.parked.mark import Mark, MarkedRow
from relay.operating.parked.release import Released, ReleaseFate, Releaser
from relay.operating.replay import Replay, ReplayResult
from relay.outbox import debt, row
from relay.outbox.debt import Meant, Survey
from relay.outbox.row import UnreadableRow, of_row
from tests.simulation.bugs import planted

_EXACT = "a replay by hand is exact"
_SAID = "what stands still is said"
_WELL = "all is said to be well in a calm world"


@planted("release-stops-at-its-first-page", "a release lets go of all that is selected", "what is released goes")
def _release_stops_at_its_first_page() -> Iterator[None]:
    """What is parked behind the first page of the outbox is not released."""
    honest = Releaser.release

    def release(self: Releaser, *given: Any, **named: Any) -> Iterator[Released]:
        walk = self._reader.walk
        with patch.object(self._reader, "walk", lambda chosen: iter([next(walk(chosen))])):
            yield from honest(self, *given, **named)

    with patch.object(Releaser, "release", release):
        yield


@planted("release-says-it-has-and-has-not", "a release lets go of all that is selected", "what is released goes")
def _release_says_it_has_and_has_not() -> Iterator[None]:
    """Of a row that is parked for several destinations only the first mark goes."""
    honest = Releaser._remove_all

    def remove_all(self: Releaser, marked: MarkedRow, marks: Sequence[Mark]) -> ReleaseFate:
        return honest(self, marked, marks[:1]) if marked.last % 2 else ReleaseFate.RELEASED

    with patch.object(Releaser, "_remove_all", remove_all):
        yield


@planted("replay-counts-what-it-handed-over", _EXACT, "a replay says what it did")
def _replay_counts_what_it_handed_over() -> Iterator[None]:
    """A replay says that everything went that it tried."""
    honest = Replay._result

    def result(self: Replay, *given: Any, **named: Any) -> ReplayResult:
        found = honest(self, *given, **named)
        return replace(found, settled=found.settled + 1)

    with patch.object(Replay, "_result", result):
        yield


@planted(
    "replay-forgets-what-is-left", "a replay that leaves nothing has left nothing", "a replay says what it left", _EXACT
)
def _replay_forgets_what_is_left() -> Iterator[None]:
    """What is parked does not count as left."""
    honest = Replay._result

    def result(self: Replay, *given: Any, **named: Any) -> ReplayResult:
        found = honest(self, *given, **named)
        return replace(found, left=max(0, found.left - found.parked - found.waiting))

    with patch.object(Replay, "_result", result):
        yield


@planted("replay-since-is-exclusive", _EXACT, "a replay that leaves nothing has left nothing")
def _replay_since_is_exclusive() -> Iterator[None]:
    """A commit of the very moment that `--since` names is left out."""
    honest = Meant.includes

    def includes(self: Meant, each: OutboxRow | UnreadableRow, now_ms: int) -> bool:
        later = self if self.since_ms is None else replace(self, since_ms=self.since_ms + 1)
        return honest(later, each, now_ms)

    with patch.object(Meant, "includes", includes):
        yield


@planted("replay-limit-per-page", _EXACT, "a replay keeps to its limit")
def _replay_limit_per_page() -> Iterator[None]:
    """Each page of the outbox has the limit for itself."""

    def shares(self: Replay, work: Sequence[OutboxRow]) -> Iterator[list[OutboxRow]]:
        most = self._request.commits_max
        if work:
            yield list(work if most is None else work[:most])

    with patch.object(Replay, "_shares", shares), patch.object(Replay, "_is_limit_reached", lambda _: False):
        yield


@planted("replay-ignores-the-pause", _EXACT)
def _replay_ignores_the_pause() -> Iterator[None]:
    """A replay delivers while delivery is paused."""
    honest = Replay.__init__

    def init(self: Replay, **named: Any) -> None:
        honest(self, **{name: value for name, value in named.items() if name != "hold"})

    with patch.object(Replay, "__init__", init):
        yield


@planted("drop-takes-all-marks", "a drop is of what was asked")
def _drop_takes_all_marks() -> Iterator[None]:
    """A drop for one destination drops for all for which the commit is parked."""
    honest = Dropper.find

    def find(self: Dropper, key: Any, _destination: str | None) -> Any:
        return honest(self, key, None)

    with patch.object(Dropper, "find", find):
        yield


@planted(
    "resume-forgotten-by-one-worker",
    "every worker goes on after a resume",
    "everything drains when faults stop",
    "every shard is read to its end",
)
def _resume_forgotten_by_one_worker() -> Iterator[None]:
    """The first worker that has seen a pause does not see its end."""
    honest, is_paused, seen = Keeper.look, Keeper.is_paused, WeakSet[Keeper]()

    def look(self: Keeper) -> Any:
        view = honest(self)
        if view.fleet.pause is not None and not seen:
            seen.add(self)
        return view

    def paused(self: Keeper) -> bool:
        return self in seen or is_paused(self)

    with patch.object(Keeper, "look", look), patch.object(Keeper, "is_paused", paused):
        yield


@planted("status-counts-the-first-page", "status says what is so")
def _status_counts_the_first_page() -> Iterator[None]:
    """What is behind the first page of the outbox is not counted, and the count is called complete."""

    def take(reader: Any, names: Sequence[str], rows_max: int) -> Survey:
        census = debt.Census(names)
        for each in reader.scan(None, min(2, rows_max)).rows:
            census.add(each)
        return census.survey(complete=True)

    with patch.object(status_command.survey, "take", take):
        yield


@planted("status-forgets-the-parked", "status says what is so", _SAID)
def _status_forgets_the_parked() -> Iterator[None]:
    """What is parked is not counted."""
    honest = debt.Census.survey

    def survey(self: debt.Census, *, complete: bool) -> Survey:
        return replace(honest(self, complete=complete), parked=dict.fromkeys(self._parked, 0), parked_rows=0)

    with patch.object(debt.Census, "survey", survey):
        yield


@planted("ready-while-nothing-is-taken", _SAID)
def _ready_while_nothing_is_taken() -> Iterator[None]:
    """A worker calls it well that aggregates wait alone, and that a destination is down."""
    with (
        patch.object(readiness, "_refused", lambda _: Check("nothing refused", ok=True, required=False)),
        patch.object(readiness, "_destination", lambda pump: Check(f"destination {pump.name}", ok=True)),
    ):
        yield


@planted("trouble-never-ends", _WELL)
def _trouble_never_ends() -> Iterator[None]:
    """An aggregate that once waited alone is said to wait for ever."""
    honest, ever = readiness._refused, WeakSet[Flow]()

    def refused(flow: Flow) -> Check:
        found = honest(flow)
        if not found.ok:
            ever.add(flow)
        return Check("nothing refused", ok=flow not in ever, required=False)

    with patch.object(readiness, "_refused", refused):
        yield


@planted("gaps-stop-at-the-first-hole", "gaps says what is so", _SAID)
def _gaps_stop_at_the_first_hole() -> Iterator[None]:
    """A walk for gaps ends with the first aggregate that has none."""
    honest = gaps._Walk.gaps

    def found(self: Any) -> Iterator[gaps.Gap]:
        for count, gap in enumerate(honest(self)):
            if count:
                return
            yield gap

    with patch.object(gaps._Walk, "gaps", found):
        yield


@planted("gaps-leave-out-the-parked", "gaps says what is so", _SAID)
def _gaps_leave_out_the_parked() -> Iterator[None]:
    """What is parked is no gap."""
    honest = Meant.includes

    def includes(self: Meant, each: OutboxRow | UnreadableRow, now_ms: int) -> bool:
        return honest(self, each, now_ms) and (isinstance(each, UnreadableRow) or not each.parked)

    with patch.object(gaps.Meant, "includes", includes):
        yield


@planted("half-a-line-stays", "every line of the file is one event")
def _half_a_line_stays() -> Iterator[None]:
    """What a crash left of a line is written on to."""

    def keep(_self: LineFile, descriptor: int) -> int:
        return int(os.fstat(descriptor).st_size)

    with patch.object(LineFile, "_cut_half_line", keep):
        yield


@planted("one-line-too-many-is-cut", "a line that was synced stays")
def _one_line_too_many_is_cut() -> Iterator[None]:
    """With half a line goes the whole one before it."""
    honest = local_file._last_line_end

    def end(descriptor: int, size: int) -> int:
        at = honest(descriptor, size)
        return at if at == size else honest(descriptor, max(0, at - 1))

    with patch.object(local_file, "_last_line_end", end):
        yield


@planted("search-loses-equal-times-at-a-border", "a search finds what is there")
def _search_loses_equal_times_at_a_border() -> Iterator[None]:
    """A page begins behind all events of the last one's millisecond."""
    honest = EventSearch._in_view

    def in_view(self: EventSearch, deadline: Any, view: str, body: Mapping[str, Any], after: list[Any] | None) -> Any:
        last = "" if "desc" in body["sort"][0].values() else "\uffff"
        return honest(self, deadline, view, body, None if after is None else [after[0], last])

    with patch.object(EventSearch, "_in_view", in_view):
        yield


@planted("search-stops-at-a-short-page", "a search finds what is there")
def _search_stops_at_a_short_page() -> Iterator[None]:
    """The last event of each page but the first is left out."""
    honest = EventSearch._decoded

    def decoded(self: EventSearch, hits: Any, on_corrupt: Any) -> Iterator[Any]:
        listed = list(hits)
        return honest(self, listed[:-1] if len(listed) == 2 else listed, on_corrupt)

    with patch.object(EventSearch, "_decoded", decoded):
        yield


@planted("complete-is-always-said", "a search says how fresh it is")
def _complete_is_always_said() -> Iterator[None]:
    """An index that searches do not see, and rows that were not looked at, change nothing."""
    honest = EventSearch.index_lag

    def index_lag(self: EventSearch, **named: Any) -> IndexLag:
        return replace(honest(self, **named), complete=True)

    with patch.object(EventSearch, "index_lag", index_lag):
        yield


@planted("oldest-first-is-forgotten", "a search finds each event once, in order")
def _oldest_first_is_forgotten() -> Iterator[None]:
    """Events come newest first, whatever was asked for."""
    honest = dsl.sort

    with patch.object(dsl, "sort", lambda query: honest(query.newest_first())):
        yield


@planted(
    "torn-row-stops-its-reader",
    "no part of a relay dies",
    "a command does not fail",
    "everything drains when faults stop",
    "every shard is read to its end",
)
def _torn_row_stops_its_reader() -> Iterator[None]:
    """A row that cannot be read raises instead of being said."""
    honest = row.of_row

    def raising(item: Mapping[str, Any], table: str) -> Any:
        found = honest(item, table)
        if isinstance(found, UnreadableRow):
            raise ValueError(found.reason)  # noqa: TRY004 - the value is torn
        return found

    with patch("relay.outbox.reader.of_row", raising), patch("relay.feed.change.of_row", raising):
        yield


@planted("later-layout-is-read-all-the-same", "what cannot be read is left as it is", "status says what is so")
def _later_layout_is_read_all_the_same() -> Iterator[None]:
    """A row of a later layout is read as one of today's."""

    def reading(item: Mapping[str, Any], table: str) -> Any:
        return of_row({name: value for name, value in item.items() if name != "layout"}, table)

    with patch("relay.outbox.reader.of_row", reading), patch("relay.feed.change.of_row", reading):
        yield


@planted("fleets-may-differ-in-destinations", "a settled commit was taken by every destination")
def _fleets_may_differ_in_destinations() -> Iterator[None]:
    """A worker joins although the others deliver to a destination that it lacks."""

    def agrees(self: FleetSettings, other: FleetSettings) -> bool:
        return self.shares_bus_with(other) and replace(self, bus=None, destinations=frozenset()) == replace(
            other, bus=None, destinations=frozenset()
        )

    with patch.object(FleetSettings, "agrees_with", agrees):
        yield
