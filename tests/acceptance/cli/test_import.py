"""`eventstore import`: many commits, checked first, stored once, resumed."""

import io
import json
import signal

import pytest

from eventstore import EventStore, NewEvent, TableNames, UnreachableError
from eventstore.cli.import_run import ImportRun
from eventstore.cli.input import import_lines
from eventstore.cli.output import progress
from eventstore.dynamodb import tables
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance


def line(aggregate: str, *numbers: int, **fields: object) -> str:
    events = [{"type": "COUNTED", "data": {"n": number}} for number in numbers]
    return json.dumps({"aggregate_type": "ITEM", "aggregate_id": aggregate, "events": events, **fields}) + "\n"


def keys(text: str, name: str = "") -> list[str | None]:
    return [planned.append.idempotency_key for planned in import_lines.plan(io.BytesIO(text.encode()), name)]


def checked(text: str) -> import_lines.Checked:
    return import_lines.check(io.BytesIO(text.encode()), "", lambda _done, _words: None)


def numbers(store: EventStore, aggregate: str) -> list[int]:
    return [event.data["n"] for event in store.load(aggregate)]


def test_a_key_stays_with_its_line():
    """
    It does when other lines come and go; the second of two equal lines has its own; another name makes others.
    """
    one, other, added = line("A", 1), line("A", 2), line("B", 1)
    before = keys(one + one + other)

    assert len(set(before)) == 3
    assert keys(added + one + "\n" + other + one) == [keys(added)[0], before[0], before[2], before[1]]
    assert set(keys(one, "again")).isdisjoint(before)
    assert before[0] is not None
    assert keys(one, "monday.jsonl")[0] == before[0].replace("import::", "import:monday.jsonl:")
    assert keys(line("A", 1, idempotency_key="mine")) == ["mine"]
    assert keys(line("A", 1, expected_version=7)) == before[:1]


BAD = {
    "no json": ("{oops\n", "line 1: is not a commit: JSON is malformed"),
    "no aggregate": ('{"aggregate_type": "ITEM", "event": {"type": "A", "data": {}}}', "missing required field"),
    "neither": ('{"aggregate_type": "ITEM", "aggregate_id": "A"}', "line 1: has neither `event` nor `events`"),
    "both": (line("A", 1, event={"type": "A", "data": {}}), "line 1: has neither `event` nor `events`, or both"),
    "no events": (line("A"), "line 1: events: is empty"),
    "98 events": (line("A", *range(98)), "line 1: events: 98 events, at most 97 are allowed"),
    "400 KB": (line("A", event={"type": "A", "data": {"t": "x" * 410_000}}, events=None), "line 1: events[0]: 4"),
    "a dot": (line("A", event={"type": "A.B", "data": {}}, events=None), "line 1: events[0].type: is 'A.B'"),
    "an empty id": (line("", 1), "line 1: aggregate.id: is empty"),
    "another word": (line("A", 1, expected_version="some"), "line 1: is not a commit: Invalid enum value 'some'"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_line_that_cannot_be_stored(name):
    """
    It is named, with what is wrong, before anything is sent; the lines around it are counted as fine.
    """
    text, words = BAD[name]

    found = checked(text)
    around = checked(line("A", 1) + text.rstrip("\n") + "\n" + line("B", 1, 2))

    assert (found.lines, found.bad, len(found.faults)) == (0, 1, 1)
    assert words in found.faults[0]
    assert (around.lines, around.events, around.bad) == (2, 3, 1)
    assert around.faults[0].startswith("line 2: ")


def test_only_so_many_faults_are_listed(bare):
    """
    A file that is wrong from end to end is not repeated on the screen; nothing was sent, no server was needed.
    """
    found = bare.run("eventstore", "import", "--json", stdin=b"oops\n" * 30)

    assert found.code == 2
    assert found.document["status"] == "error"
    assert found.document["data"] == {"lines": 0, "events": 0, "bad": 30}
    assert len(found.document["diagnostics"]) == 21
    assert found.document["diagnostics"][-1] == "and 10 more"


def test_dry_run_needs_no_server(bare, tmp_path):
    """
    It counts what could be sent, of a file and of a pipe.
    """
    (tmp_path / "in.jsonl").write_text(line("A", 1, 2) + line("B", 3))

    file = bare.run("eventstore", "import", "in.jsonl", "--dry-run")
    pipe = bare.run("eventstore", "import", "--dry-run", "--json", stdin=line("A", 1, 2).encode())

    assert (file.code, file.out, file.err) == (0, "2 lines with 3 events can be sent. Nothing was.\n", "")
    assert pipe.document["data"] == {"lines": 1, "events": 2, "bad": 0, "dry_run": True}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now_ms(self) -> int:
        return round(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds


def test_progress_without_a_terminal(capsys):
    """
    A line is said every fifteen seconds, on standard error; what is done sooner says none.
    """
    clock = Clock()
    with progress.shown("storing", clock, total=100) as tell:
        for done in range(1, 41):
            clock.seconds = float(done)
            tell(done, f"{done} lines")

    assert capsys.readouterr() == ("", "15 lines\n30 lines\n")


@pytest.fixture
def store() -> EventStore:
    client = InMemoryDynamoDB().client()
    tables.init(client, TableNames(), SystemRuntime())
    return EventStore.open(client)


def sent(store: EventStore, text: str, concurrency: int = 4):
    lines = import_lines.plan(io.BytesIO(text.encode()), "")
    return ImportRun(store, SystemRuntime().flag(), lambda _done, _words: None).run(lines, concurrency)


def test_when_the_server_goes_away(store, monkeypatch):
    """
    The run stops, no later line of the aggregate overtakes, and the next run stores the rest in order.
    """
    append = EventStore.append

    def goes_away(self, aggregate, events, **arguments):
        if events[0].data["n"] == 3:
            raise UnreachableError("nobody answers")
        return append(self, aggregate, events, **arguments)

    text = "".join(line("A", number) for number in range(1, 9))
    monkeypatch.setattr(EventStore, "append", goes_away)
    stopped = sent(store, text)
    monkeypatch.undo()
    resumed = sent(store, text)

    assert (stopped.stored, stopped.next_line, stopped.reason) == (2, 3, "nobody answers")
    assert (resumed.stored, resumed.already_stored, resumed.next_line) == (6, 2, None)
    assert numbers(store, "A") == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_refused_line_holds_back_those_after_it(store):
    """
    Of its aggregate alone; fixed, the lines are stored in their order.
    """
    wrong = line("A", 1) + line("A", 2, expected_version=7) + line("A", 3) + line("B", 1)
    fixed = line("A", 1) + line("A", 2) + line("A", 3) + line("B", 1)

    first = sent(store, wrong)
    second = sent(store, fixed)

    assert (first.stored, first.refused, first.held_back, first.next_line) == (2, 1, 1, None)
    assert first.faults == ["line 2: aggregate 'A' is at version 1, not 7: load it and decide again"]
    assert (second.stored, second.already_stored) == (2, 2)
    assert (numbers(store, "A"), numbers(store, "B")) == ([1, 2, 3], [1])


ALREADY = (
    "{count} lines were there already, and were not stored again: {lines}. That is right if {which} was run before."
    " If it was not, they are lines of another import, and missing now: put them into a file of their own, and import"
    " it with a --name of its own"
)


@pytest.mark.servers
def test_stored_once(terminal, corner, tmp_path):
    """
    Several lines at a time, each aggregate in its order; the second run, from a pipe, finds everything there.
    """
    text = "".join(line(f"SKU-{n % 3}", n, n + 100) for n in range(12))
    (tmp_path / "in.jsonl").write_text(text)

    first = terminal.run("eventstore", "import", "in.jsonl", "--concurrency", "3")
    second = terminal.run("eventstore", "import", "--json", "--name", "in.jsonl", stdin=text.encode())

    assert (first.code, first.out) == (0, "12 commits with 24 events stored.\n")
    assert first.err == "Name of this import: 'in.jsonl', after the file; --name gives another.\n"
    assert second.code == 0
    assert second.document == {
        "version": 1,
        "status": "ok",
        "data": {
            "name": "in.jsonl",
            "stored": 0,
            "already_stored": 12,
            "events": 0,
            "refused": 0,
            "held_back": 0,
            "next_line": None,
        },
        "diagnostics": [ALREADY.format(count=12, lines="1 to 12", which="the import 'in.jsonl'")],
    }
    assert numbers(corner.store(), "SKU-1") == [1, 101, 4, 104, 7, 107, 10, 110]


@pytest.mark.servers
def test_refused_lines(terminal, corner):
    """
    They are named, end the command with 1, and others are stored.
    """
    corner.store().append(import_lines.AggregateRef("ORDER", "SKU-1"), [NewEvent("A", {})], expected_version=0)
    text = (line("SKU-1", 1) + line("SKU-1", 2) + line("SKU-2", 3)).encode()

    found = terminal.run("eventstore", "import", "--name", "mine", stdin=text)

    assert (found.code, found.out) == (1, "1 commits with 1 events stored.\n")
    assert found.err.splitlines() == [
        "error: line 1: aggregate 'SKU-1' is of type 'ORDER', not 'ITEM': an id keeps its type",
        "error: held back, behind refused lines of their aggregates: 1",
        "Next: fix the refused lines and run the import again; nothing is stored twice.",
    ]
    assert numbers(corner.store(), "SKU-2") == [3]


@pytest.mark.servers
def test_killed_interrupted_and_resumed(terminal, corner, tmp_path):
    """
    After a kill it is run again; Ctrl-C ends it after what is on its way, with 4 and where to go on.

    In the end nothing is missing and nothing is double.
    """
    (tmp_path / "in.jsonl").write_text("".join(line(f"SKU-{n % 5}", n) for n in range(300)))
    arguments = ["eventstore", "import", "in.jsonl", "--json", "--concurrency", "3"]

    def stored() -> int:
        return corner.client.scan(TableName="inventory_events", Select="COUNT", ConsistentRead=True)["Count"]

    with terminal.start(*arguments) as command:
        until(lambda: stored() > 5, "some are stored")
        command.signal(signal.SIGKILL)
        killed = command.end()
    before = stored()
    with terminal.start(*arguments) as command:
        until(lambda: stored() > before + 5, "some more are stored")
        command.signal(signal.SIGINT)
        stopped = command.end()
    there = stored()
    data = stopped.document["data"]
    fault, already, advice = stopped.document["diagnostics"]
    resumed = terminal.run(*arguments, f"--from-line={data['next_line']}")

    assert (killed.code, killed.out) == (-signal.SIGKILL, "")
    assert (stopped.code, stopped.document["status"]) == (4, "incomplete")
    assert fault == f"stopped before line {data['next_line']}: interrupted"
    assert f"--from-line {data['next_line']}" in advice
    assert already.startswith(f"{data['already_stored']} lines were there already, and were not stored again: 1 to ")
    assert data["already_stored"] >= before
    assert data["already_stored"] + data["stored"] == there >= data["next_line"] - 1
    rest = resumed.document["data"]
    assert (resumed.code, rest["stored"], rest["already_stored"]) == (0, 300 - there, there - data["next_line"] + 1)
    store = corner.store()
    assert {n: numbers(store, f"SKU-{n}") for n in range(5)} == {n: list(range(n, 300, 5)) for n in range(5)}
