"""`eventstore import` never loses a line: whose it is, what it is written in, and which of them were there already."""

import bz2
import gzip
import io
import json
import lzma
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from eventstore import EventStore, NewEvent, TableNames, init_tables
from eventstore.cli import import_events as command
from eventstore.cli.append import append, parse_lines
from eventstore.cli.import_events import import_events
from eventstore.cli.input import import_name
from eventstore.errors import InvalidInputError
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB


def line(aggregate: str, number: int, **fields: Any) -> str:
    event = {"type": "COUNTED", "data": {"n": number}, **fields.pop("event", {})}
    return json.dumps({"aggregate_type": "ITEM", "aggregate_id": aggregate, "event": event, **fields}) + "\n"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> EventStore:
    """Give the store that the commands open."""
    client = InMemoryDynamoDB().client()
    init_tables(client, TableNames(), SystemRuntime())
    opened = EventStore.open(client)
    monkeypatch.setattr(command, "open_store", lambda: opened)
    monkeypatch.setattr(command, "_stop_on_signals", lambda _: None)
    return opened


def run(*arguments: Any, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(import_events, [str(each) for each in arguments], input=stdin)


def of(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def numbers(store: EventStore, aggregate: str) -> list[int]:
    return [event.data["n"] for event in store.load(aggregate)]


def test_two_files_that_say_the_same_are_two_imports(store: EventStore, tmp_path: Path) -> None:
    """
    Monday's line and Tuesday's are two, though they say the same; the name is said, and each runs again for nothing.
    """
    for day in ("monday.jsonl", "tuesday.jsonl"):
        (tmp_path / day).write_text(line("A", 1) + line("B", 2))

    monday, tuesday, again = (run(tmp_path / day) for day in ("monday.jsonl", "tuesday.jsonl", "tuesday.jsonl"))

    assert (monday.stderr, monday.exit_code) == (
        "Name of this import: 'monday.jsonl', after the file; --name gives another.\n",
        0,
    )
    assert tuesday.stdout == "2 commits with 2 events stored.\n"
    assert again.stdout == "0 commits with 0 events stored; 2 were there already.\n"
    assert (numbers(store, "A"), numbers(store, "B")) == ([1, 1], [2, 2])


def test_lines_that_were_there_already_are_named(store: EventStore, tmp_path: Path) -> None:
    """
    A first run that meets them would lose them in silence: they are named, with what to do.
    """
    for day, text in (("mo", line("A", 1) + line("B", 2)), ("tu", line("B", 2) + line("C", 3) + line("A", 1))):
        (tmp_path / day).mkdir()
        (tmp_path / day / "events.jsonl").write_text(text)
    run(tmp_path / "mo" / "events.jsonl")

    found = run(tmp_path / "tu" / "events.jsonl")

    warning = found.stderr.splitlines()[-1]
    assert found.stdout == "1 commits with 1 events stored; 2 were there already.\n"
    assert warning.startswith("warning: 2 lines were there already, and were not stored again: 1, 3. That is right if")
    assert "the import 'events.jsonl' was run before" in warning
    assert "put them into a file of their own, and import it with a --name of its own" in warning
    assert of(run("--json", tmp_path / "mo" / "events.jsonl"))["diagnostics"][0].startswith(
        "2 lines were there already"
    )


def test_lines_of_one_key_are_named_too(store: EventStore) -> None:
    """
    Two lines of one input under one key of their own are stored once, and the second one is named.
    """
    found = run(stdin=(line("A", 1, idempotency_key="k") * 2).encode())

    assert found.exit_code == 0
    assert "1 lines were there already, and were not stored again: 2." in found.stderr
    assert numbers(store, "A") == [1]


def test_a_pipe_needs_a_name(store: EventStore) -> None:
    """
    Nothing is stored without one, unless every line has a key of its own; a dry run needs none.
    """
    text = line("A", 1).encode()

    refused = run(stdin=text)

    assert (refused.exit_code, numbers(store, "A")) == (2, [])
    assert refused.stderr == (
        "error: --name: is needed: an import from a pipe has no name, which is a part of the keys of its lines\n"
    )
    assert run("--dry-run", stdin=text).exit_code == 0
    assert run(stdin=line("B", 1, idempotency_key="k").encode()).exit_code == 0
    assert of(run("--json", "--name", "monday", stdin=text))["data"]["name"] == "monday"
    assert (numbers(store, "A"), numbers(store, "B")) == ([1], [1])


@pytest.mark.parametrize("name", ["", "n" * 201, "\udcff"])
def test_what_cannot_be_a_name_is_refused(store: EventStore, name: str) -> None:
    """
    Before anything is stored.
    """
    assert run("--name", name, stdin=line("A", 1).encode()).exit_code == 2
    assert numbers(store, "A") == []


def test_the_name_of_a_file(tmp_path: Path) -> None:
    """
    Without its folder; of a link, the name of the file that it leads to. Devices and pipes have none.
    """
    (tmp_path / "tuesday.jsonl").write_text("")
    (tmp_path / "latest.jsonl").symlink_to(tmp_path / "tuesday.jsonl")
    (tmp_path / ("n" * 201)).write_text("")
    os.mkfifo(tmp_path / "pipe")

    for path in ("tuesday.jsonl", "latest.jsonl"):
        with (tmp_path / path).open("rb") as source:
            assert import_name.of_file(source) == "tuesday.jsonl"
            with Path(f"/dev/fd/{source.fileno()}").open("rb") as nameless, pytest.raises(InvalidInputError):
                import_name.of_file(nameless)
    with (tmp_path / ("n" * 201)).open("rb") as source, pytest.raises(InvalidInputError, match="1 to 200 bytes"):
        import_name.of_file(source)
    with (tmp_path / "pipe").open("r+b", buffering=0) as source, pytest.raises(InvalidInputError, match="from a pipe"):
        import_name.of_file(source)


def test_a_place_behind_the_end_is_refused(store: EventStore) -> None:
    """
    Zero lines stored is no success where lines were meant.
    """
    found = run("--from-line", "3", "--name", "n", stdin=(line("A", 1) * 2).encode())

    assert found.exit_code == 2
    assert "the input ends with line 2" in found.stderr


TEXT = line("Zürich", 1) + line("B", 2)
READ: dict[str, bytes] = {
    "a byte-order mark": TEXT.encode("utf-8-sig"),
    "two files with a mark each": line("Zürich", 1).encode("utf-8-sig") + line("B", 2).encode("utf-8-sig"),
    "CR and LF": TEXT.replace("\n", "\r\n").encode(),
    "blank lines": ("\r\n \n" + TEXT.replace("\n", "\n\n")).encode(),
    "no end of line": TEXT.rstrip("\n").encode(),
    "escapes": TEXT.replace("ü", "\\u00fc").encode(),
}


@pytest.mark.parametrize("name", READ)
def test_inputs_that_are_read(name: str) -> None:
    """
    Every line of them, as it was meant.
    """
    found = run("--dry-run", "--json", stdin=READ[name])

    assert of(found)["data"] == {"lines": 2, "events": 2, "bad": 0, "dry_run": True}


PRETTY = json.dumps(json.loads(line("A", 1)), indent=2)
REFUSED: dict[str, tuple[bytes, str]] = {
    "gzip": (gzip.compress(TEXT.encode()), "compressed by gzip: unpack it first, as `gunzip -c FILE"),
    "bzip2": (bz2.compress(TEXT.encode()), "compressed by bzip2"),
    "xz": (lzma.compress(TEXT.encode()), "compressed by xz"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x00", "compressed by zstd"),
    "zip": (b"PK\x03\x04\x14\x00", "compressed by zip"),
    "UTF-16": (TEXT.encode("utf-16"), "is in UTF-16: write it in UTF-8"),
    "UTF-16BE without a mark": (TEXT.encode("utf-16-be"), "is in UTF-16BE: write it in UTF-8"),
    "UTF-16LE without a mark": (TEXT.encode("utf-16-le"), "is in UTF-16LE"),
    "UTF-32": (TEXT.encode("utf-32"), "is in UTF-32: write it in UTF-8"),
    "UTF-32BE without a mark": (TEXT.encode("utf-32-be"), "is in UTF-32BE"),
    "Latin-1": (
        json.dumps({"aggregate_id": "Zürich"}, ensure_ascii=False).encode("latin-1"),
        "is not in UTF-8 (byte 20",
    ),
    "pretty-printed": (
        PRETTY.encode(),
        "an object of JSON over several lines, not JSON lines: each stands on one line",
    ),
    "pretty-printed with a mark": (PRETTY.encode("utf-8-sig"), "an object of JSON over several lines"),
    "a list": (f"[{line('A', 1)}]".encode(), "a list of JSON over several lines"),
    "CR alone": (TEXT.replace("\n", "\r").encode(), "there is a CR inside of it: lines end with LF"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_inputs_that_are_refused(name: str) -> None:
    """
    In words that say what they are and how to make them readable; `append` reads the same and says the same.
    """
    content, says = REFUSED[name]

    found = run("--dry-run", stdin=content)

    assert found.exit_code == 2
    assert says in found.stderr
    with pytest.raises(InvalidInputError) as caught:
        parse_lines(io.BytesIO(content))
    assert says in str(caught.value)


def test_an_object_that_begins_on_the_first_line() -> None:
    """
    It looks like a line until it ends in the middle, and the words say so.
    """
    found = run("--dry-run", stdin=PRETTY.replace("{\n", "{", 1).encode())

    assert found.exit_code == 2
    assert "line 1: is not a commit: Input data was truncated; the line ends in the middle of JSON" in found.stderr


@pytest.mark.parametrize("at", [0, 1_700_000_000, 631_151_999_999])
def test_times_that_look_like_seconds(store: EventStore, at: int) -> None:
    """
    They are refused with what they would mean, unless they are asked for.
    """
    text = line("A", 1, event={"timestamp_ms": at}).encode()

    refused = run("--name", "n", stdin=text)
    taken = run("--name", "n", "--old-times", stdin=text)

    assert refused.exit_code == 2
    assert f"line 1: events[0].timestamp_ms: is {at}, which is 19" in refused.stderr
    assert "looks like seconds" in refused.stderr
    assert (taken.exit_code, [event.timestamp_ms for event in store.load("A")]) == (0, [at])


def test_times_of_1990_are_taken(store: EventStore) -> None:
    """
    From its first millisecond on.
    """
    assert run("--name", "n", stdin=line("A", 1, event={"timestamp_ms": 631_152_000_000}).encode()).exit_code == 0
    assert store.current_version("A") == 1


def test_append_refuses_times_that_look_like_seconds(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    As `import` does.
    """
    monkeypatch.setattr("eventstore.cli.append.open_store", lambda: store)
    event = json.dumps({"type": "COUNTED", "data": {}, "timestamp_ms": 1_700_000_000})
    arguments = ["ITEM", "A", "--expected-version", "any"]

    refused = CliRunner().invoke(append, arguments, input=event)
    taken = CliRunner().invoke(append, [*arguments, "--old-times"], input=event)

    assert (refused.exit_code, taken.exit_code) == (2, 0)
    assert "events[0].timestamp_ms: is 1700000000, which is 1970-01-20 in milliseconds" in refused.stderr
    assert store.load("A")[0].timestamp_ms == 1_700_000_000


def test_events_without_times_are_of_now(store: EventStore) -> None:
    """
    What says no time is never taken for an old one.
    """
    assert NewEvent("COUNTED", {}).timestamp_ms is None
    assert run("--name", "n", stdin=line("A", 1).encode()).exit_code == 0
    assert store.load("A")[0].timestamp_ms > 631_152_000_000
