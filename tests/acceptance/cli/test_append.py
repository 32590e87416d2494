"""`eventstore append` as a process: what is stored, and what is refused whole."""

import io
import json

import pytest

from eventstore import InvalidInputError
from eventstore.cli.append import parse_lines
from tests.acceptance.cli.commands import Terminal

pytestmark = pytest.mark.acceptance


def line(**fields: object) -> str:
    return json.dumps({"type": "STOCK_REMOVED", "data": {"quantity": 1}, **fields}) + "\n"


def appending(terminal: Terminal, *arguments: str, lines: str | bytes):
    stdin = lines.encode() if isinstance(lines, str) else lines
    return terminal.run("eventstore", "append", "ITEM", "SKU-1", *arguments, stdin=stdin)


@pytest.mark.servers
def test_from_standard_input_and_from_a_file(terminal, corner, tmp_path):
    """
    The lines become events in their order, digits and letters kept; blank lines and a byte-order mark are passed over.
    """
    priced = '{"type": "PRICED", "data": {"price": 1.50, "name": "Öl"}}\n'
    (tmp_path / "more.jsonl").write_bytes(b"\xef\xbb\xbf" + priced.encode())

    first = appending(
        terminal,
        "--expected-version=0",
        lines="\n" + line(metadata={"user": "ada"}, schema_version=2, timestamp_ms=1_700_000_000_000) + "\n" + line(),
    )
    second = appending(terminal, "more.jsonl", "--expected-version=2", "--json", lines="")

    stored = corner.store().load("SKU-1")
    assert first.code == second.code == 0
    assert first.out == f"SKU-1 is at version 2 (commit {stored[0].commit_id}).\n"
    assert first.err == second.err == ""
    assert second.document == {
        "version": 1,
        "status": "ok",
        "data": {
            "aggregate_type": "ITEM",
            "aggregate_id": "SKU-1",
            "commit_id": stored[2].commit_id,
            "first_sequence": 3,
            "version": 3,
            "already_stored": False,
        },
        "diagnostics": [],
    }
    assert [event.sequence_number for event in stored] == [1, 2, 3]
    assert (stored[0].metadata_json, stored[0].schema_version) == ('{"user": "ada"}', 2)
    assert stored[0].timestamp_ms == 1_700_000_000_000
    assert stored[2].data_json == '{"price": 1.50, "name": "Öl"}'


@pytest.mark.servers
def test_another_writer_was_first(terminal, corner):
    """
    A wrong version and a wrong type end with 1, say what is so, and store nothing.
    """
    assert appending(terminal, "--expected-version=0", lines=line()).code == 0

    found = terminal.run_all(
        {
            "behind": ["eventstore", "append", "ITEM", "SKU-1", "--expected-version=0"],
            "ahead": ["eventstore", "append", "ITEM", "SKU-1", "--expected-version=7", "--json"],
            "type": ["eventstore", "append", "ORDER", "SKU-1", "--expected-version=1"],
        },
        stdin=dict.fromkeys(("behind", "ahead", "type"), line().encode()),
    )

    assert {name: finished.code for name, finished in found.items()} == {"behind": 1, "ahead": 1, "type": 1}
    assert found["behind"].error == "aggregate 'SKU-1' is at version 1, not 0: load it and decide again"
    assert found["ahead"].document == {
        "version": 1,
        "status": "error",
        "data": None,
        "diagnostics": ["aggregate 'SKU-1' is at version 1, not 7: load it and decide again"],
    }
    assert "is of type 'ITEM', not 'ORDER'" in found["type"].error
    assert len(corner.store().load("SKU-1")) == 1


UNREADABLE = {
    "no json": (line() + "{oops\n", "line 2: is not an event: JSON is malformed"),
    "no utf-8": (b'{"type": "A", "data": {"a": "\xff"}}\n', "line 1: is not an event: 'utf-8' codec"),
    "a list": (
        "\n" + line(data=[1]),
        "line 2: is not an event: its data is not a JSON object: Expected `object`, got `array`",
    ),
    "a payload of text": (
        line(data="text"),
        "line 1: is not an event: its data is not a JSON object: Expected `object`, got `str`",
    ),
    "no type": ('{"data": {}}', "line 1: is not an event: Object missing required field `type`"),
    "another field": (line(colour="red"), "line 1: is not an event: Object contains unknown field `colour`"),
    "a time with a fraction": (line(timestamp_ms=1.5), "line 1: is not an event: Expected `int | null`, got `float`"),
    "too deep": (
        '{"type":"A","data":' + '{"a":' * 50_000 + "1" + "}" * 50_001,
        "line 1: is not an event: it is nested too",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_line_that_is_no_event(name):
    """
    The error names the line and what is wrong with it.
    """
    lines, words = UNREADABLE[name]
    with pytest.raises(InvalidInputError) as caught:
        parse_lines(io.BytesIO(lines.encode() if isinstance(lines, str) else lines))
    assert str(caught.value).startswith(words)


def test_more_events_than_a_commit_holds_are_not_read_to_their_end():
    """
    One event too many is enough to be refused, so what comes after it is left alone, however long it is.
    """
    source = io.BytesIO(line().encode() * 98 + line().encode() + b"{oops\n")

    assert len(parse_lines(source)) == 99


REFUSED = {
    "no json": UNREADABLE["no json"],
    "a list": UNREADABLE["a list"],
    "no event": ("\n\n", "events: is empty"),
    "99 events": (line() * 99, "events: 99 events, at most 98 are allowed"),
    "an event over 400 KB": (line() + line(data={"a": "x" * 410_000}), "events[1]: "),
    "a type with a dot": (line() + line(type="STOCK.REMOVED"), "events[1].type: is 'STOCK.REMOVED'; letters"),
}


@pytest.mark.servers
def test_bad_input(terminal, corner):
    """
    What cannot be stored as it is ends with 2 and a line that names the place; of the commit nothing is stored.
    """
    command = ["eventstore", "append", "ITEM", "SKU-1", "--expected-version=0"]
    stdin = {name: lines.encode() if isinstance(lines, str) else lines for name, (lines, _) in REFUSED.items()}

    found = terminal.run_all(dict.fromkeys(REFUSED, command), stdin)

    assert {name: finished.code for name, finished in found.items()} == dict.fromkeys(REFUSED, 2)
    assert {name: words for name, (_, words) in REFUSED.items() if words not in found[name].error} == {}
    assert corner.store().load("SKU-1") == []
    assert corner.client.scan(TableName="inventory_outbox")["Items"] == []


@pytest.mark.servers
def test_bad_arguments(terminal):
    """
    A bad name or number, an absent file and an endless input end with 2, in an envelope where that was asked for.
    """
    found = terminal.run_all(
        {
            "type": ["eventstore", "append", "IT EM", "SKU-1", "--expected-version=0"],
            "id": ["eventstore", "append", "ITEM", "", "--expected-version=0"],
            "no number": ["eventstore", "append", "ITEM", "SKU-1", "--json", "--expected-version=one"],
            "no version": ["eventstore", "append", "ITEM", "SKU-1"],
            "no file": ["eventstore", "append", "ITEM", "SKU-1", "absent.jsonl", "--expected-version=0"],
            "endless": ["eventstore", "append", "ITEM", "SKU-1", "--expected-version=0"],
        },
        stdin={**dict.fromkeys(("type", "id"), line().encode()), "endless": (b" " * 1_048_575 + b"\n") * 33},
    )

    assert {finished.code for finished in found.values()} == {2}
    assert found["type"].error.startswith("aggregate.type: is 'IT EM'")
    assert found["id"].error.startswith("aggregate.id: is empty")
    assert "Missing option '--expected-version'. Try `eventstore append --help`" in found["no version"].error
    assert "absent.jsonl" in found["no file"].error
    assert found["endless"].error == "input: 33,554,433 bytes, at most 33,554,432 are allowed"
    assert found["no number"].document["status"] == "error"
    assert found["no number"].document["diagnostics"] == [found["no number"].error]


@pytest.mark.servers
def test_a_key_makes_a_repeat_safe(terminal, corner):
    """
    A repeat says so and stores nothing, also at a later version; other events under the same key end with 2.
    """
    with_key = ["--expected-version=new", "--idempotency-key=order-7"]
    first = appending(terminal, *with_key, lines=line())
    later = appending(terminal, "--expected-version=any", lines=line())

    repeat = appending(terminal, *with_key, lines=line())
    document = appending(terminal, *with_key, "--json", lines=line()).document
    other = appending(terminal, *with_key, lines=line(data={"quantity": 2}))

    commit = corner.store().load("SKU-1")[0].commit_id
    assert (first.code, later.code, repeat.code, other.code) == (0, 0, 0, 2)
    assert repeat.out == f"SKU-1 was stored up to version 1 (commit {commit}) under this key before.\n"
    assert (document["data"]["version"], document["data"]["already_stored"]) == (1, True)
    assert other.error.startswith(f"idempotency_key: 'order-7' of aggregate 'SKU-1' stands for commit {commit}")
    assert corner.store().current_version("SKU-1") == 2


@pytest.mark.servers
def test_expectations_in_words(terminal, corner):
    """
    `new` wants no events, `exists` some, `any` nothing; another word ends with 2 and names the words there are.
    """
    words = ["exists", "new", "exists", "any", "some"]
    found = [appending(terminal, f"--expected-version={word}", lines=line()) for word in words]

    assert [finished.code for finished in found] == [1, 0, 0, 0, 2]
    assert found[0].error == "aggregate 'SKU-1' is at version 0, not EXISTS: load it and decide again"
    assert "'some' is not an expectation; give a count of events, or new, exists or any" in found[4].error
    assert corner.store().current_version("SKU-1") == 3
