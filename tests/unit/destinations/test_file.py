"""The file destination, on a place for lines that fails when it is told to."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from relay.destination import Confirmed, Park, Retry, TroubleKind
from relay.destinations.file import line as file_line
from relay.destinations.file.file import FileDestination, FileSettings
from relay.destinations.file.sink import LinesError, LinesLostError, LinesRefusedError
from relay.testing.commits import chain, commit
from tests.support.delivering import TestedPermit, deliver


class ScriptedLines:
    """Keeps each append; `errors` are raised instead, one each, None for an append that succeeds."""

    def __init__(self, *errors: LinesError | None) -> None:
        self.appends: list[list[bytes]] = []
        self.errors = list(errors)
        self.closed = 0

    def append(self, lines: Sequence[bytes], timeout_seconds: float) -> None:
        assert 0 < timeout_seconds <= 10
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.appends.append(list(lines))

    def close(self) -> None:
        self.closed += 1

    @property
    def ids(self) -> list[list[str]]:
        return [[json.loads(line)["id"] for line in lines] for lines in self.appends]


def test_a_line_is_the_whole_event():
    """Every attribute under its CloudEvents name, and the data as it was stored, on one line."""
    (event,) = (
        commit(
            "order-17",
            3,
            data_json='{\n "price": 12.50,\r\n "note": "a\\nb"\n}',
            metadata_json='{"correlation_id":"c-1","traceparent":"00-a-b-01"}',
            timestamp_ms=1_738_367_999_007,
            epoch=2,
        ).events
        or ()
    )

    assert file_line.encode(event, "/shop") == (
        b'{"specversion":"1.0","id":"order-17:3","source":"/shop","type":"Order.Placed","subject":"order-17",'
        b'"time":"2025-01-31T23:59:59.007Z","aggregatetype":"Order","aggregateid":"order-17","sequencenumber":3,'
        b'"epoch":2,"schemaversion":1,"commitid":"order-17:3-3","correlationid":"c-1","traceparent":"00-a-b-01",'
        b'"datacontenttype":"application/json","data":{  "price": 12.50,   "note": "a\\nb" }}\n'
    )


def test_every_line_begins_alike():
    """Half a line is known by its beginning."""
    (event,) = commit("a").events or ()

    assert file_line.encode(event, "/s").startswith(file_line.LINE_START)


def test_commits_of_an_aggregate_are_written_in_order():
    """Whatever the order they were handed over in; a destination beside the bus gets each commit by itself."""
    lines = ScriptedLines()

    deliver(FileDestination(lines), [[commit("a", 3)], [commit("b", 1)], [commit("a", 1, 2)]], 10)

    assert lines.ids == [["a:1", "a:2", "a:3", "b:1"]]


def test_batches_hold_whole_commits():
    """One that is larger than a batch goes alone; what was appended before a failure counts."""
    lines = ScriptedLines(None, LinesLostError("no space"))
    destination = FileDestination(lines, FileSettings(batch_max_bytes=1000))

    report = deliver(destination, [[commit("a", 1, 9), commit("a", 10, 1)], chain("b", 1)], 10)

    assert lines.ids == [[f"a:{number}" for number in range(1, 10)]]
    assert report.outcomes == {("a", 9): Confirmed(), ("a", 10): Retry("write_failed"), ("b", 1): Retry("write_failed")}
    assert report.trouble is not None
    assert (report.trouble.kind, report.trouble.reason) == (TroubleKind.OUTAGE, "no space")


def test_a_path_that_a_person_must_mend():
    """Nothing is parked for it."""
    report = deliver(FileDestination(ScriptedLines(LinesRefusedError("no such folder"))), [chain("a", 1)], 10)

    assert report.outcomes == {("a", 1): Retry("write_failed")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED


def test_a_leave_that_ends_in_the_middle():
    """The next batch is not begun; that is no trouble of the file."""
    lines = ScriptedLines()
    permit = TestedPermit(lambda: 0.0 if lines.appends else 5.0)
    destination = FileDestination(lines, FileSettings(batch_max_bytes=1))

    report = deliver(destination, [chain("a", 1, 1), chain("b", 1)], 10, permit)

    assert lines.ids == [["a:1"]]
    assert report.outcomes == {
        ("a", 1): Confirmed(),
        ("a", 2): Retry("timeout"),
        ("b", 1): Retry("timeout"),
    }
    assert report.trouble is None


@pytest.mark.parametrize("data", ["", '{"a":', '{"a":1}}', '{"a":nope}', '{"a":1}\n{"b":2}'])
def test_data_that_is_no_json(data):
    """It would make a line that nobody can read; its commit is parked, whole, and its neighbours are written."""
    lines = ScriptedLines()

    report = deliver(FileDestination(lines), [[commit("a", 1, 2, data_json=data)], chain("b", 1)], 10)

    parked = report.outcomes["a", 2]
    assert isinstance(parked, Park)
    assert parked.error_class == "not_json"
    assert "event 1 (a:1)" in parked.reason
    assert lines.ids == [["b:1"]]


def test_close_lets_go_of_the_file():
    """So that it can be unmounted."""
    lines = ScriptedLines()
    FileDestination(lines).close()
    assert lines.closed == 1


def test_a_batch_holds_something():
    """Nothing could ever be written otherwise."""
    with pytest.raises(ValueError, match="1 or more"):
        FileSettings(batch_max_bytes=0)


def test_a_path_that_was_mended_is_seen_by_looking():
    """Nobody has a line for it; until then looking says the same as a delivery."""
    lines = ScriptedLines(LinesRefusedError("no folder"), LinesRefusedError("no folder"), LinesLostError("locked"))
    destination = FileDestination(lines)
    assert deliver(destination, [chain("a", 1)], 10).trouble is not None

    seen = [destination.look(5.0) for _ in range(3)]

    kinds = [report and report.trouble and report.trouble.kind for report in seen]
    assert kinds == [TroubleKind.MISCONFIGURED, TroubleKind.OUTAGE, None]
    assert lines.appends == [[]]


def test_a_disk_that_was_full_is_not_judged_by_looking():
    """Whether there is room for a line shows when there is one."""
    destination = FileDestination(ScriptedLines(LinesLostError("full")))
    deliver(destination, [chain("a", 1)], 10)

    assert destination.look(5.0) is None
    deliver(destination, [chain("a", 1)], 10)
    assert destination.look(5.0) is not None


def test_an_event_that_cannot_be_described_has_no_line() -> None:
    """
    As it has no message.
    """
    (event,) = commit("order-1").events or ()
    assert file_line.unwritable(event) is None

    for odd, error_class in (
        (replace(event, timestamp_ms=-1), "unsendable"),
        (replace(event, data_json="{"), "not_json"),
    ):
        refused = file_line.unwritable(odd)
        assert refused is not None
        assert refused.error_class == error_class
