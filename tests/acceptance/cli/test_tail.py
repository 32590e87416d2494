"""`eventstore tail` as a process: one day, and what comes."""

import signal
from datetime import UTC, datetime

import pytest

from eventstore import AggregateRef, NewEvent

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

ITEM = AggregateRef("ITEM", "SKU-1")
DAY_MS = 1_699_920_000_000  # 2023-11-14


def test_days(terminal, corner):
    """
    Today by default, another day on request, the newest events by their timestamps; an empty day is not an error.
    """
    old = [NewEvent("A", {"n": n}, timestamp_ms=DAY_MS + offset) for n, offset in ((1, 3000), (2, 1000), (3, 2000))]
    corner.store().append(ITEM, [*old, NewEvent("A", {"n": 4})], expected_version=0)

    found = terminal.run_all(
        {
            "today": ["eventstore", "tail", "--json"],
            "day": ["eventstore", "tail", "--json", "--day", "2023-11-14"],
            "newest": ["eventstore", "tail", "--json", "--day", "2023-11-14", "-n", "2"],
            "empty": ["eventstore", "tail", "--day", "2023-11-5"],
            "bad": ["eventstore", "tail", "--day", "14.11.2023"],
            "leap": ["eventstore", "tail", "--json", "--day", "2023-02-29"],
        },
    )

    codes = {name: finished.code for name, finished in found.items()}
    assert codes == {"today": 0, "day": 0, "newest": 0, "empty": 0, "bad": 2, "leap": 2}
    numbers = {name: [event["data"]["n"] for event in found[name].lines] for name in ("today", "day", "newest")}
    assert numbers == {"today": [4], "day": [2, 3, 1], "newest": [3, 1]}
    assert (found["empty"].out, found["empty"].err) == ("", "no events on 2023-11-05 (UTC)\n")
    assert "'14.11.2023' is not a day of the form YYYY-MM-DD" in found["bad"].error
    assert found["leap"].out == ""
    assert "'2023-02-29' is not a day" in found["leap"].error


def test_follow(terminal, corner):
    """
    It shows the newest, then what comes, each once, also behind a timestamp that lies ahead; Ctrl-C is a good end.
    """
    store = corner.store()
    tonight_ms = int(datetime.now(UTC).replace(hour=23, minute=59, second=59, microsecond=0).timestamp() * 1000)
    store.append(ITEM, [NewEvent("A", {"n": n}) for n in (1, 2, 3)], expected_version=0)
    store.append(ITEM, [NewEvent("A", {"n": 4}, timestamp_ms=tonight_ms)], expected_version=3)

    with terminal.start("eventstore", "tail", "--follow", "--json", "-n", "2") as command:
        command.until_said('"data":{"n":4}')
        store.append(ITEM, [NewEvent("A", {"n": 5})], expected_version=4)
        command.until_said('"data":{"n":5}')
        store.append(ITEM, [NewEvent("A", {"n": 6})], expected_version=5)
        command.until_said('"data":{"n":6}')
        command.signal(signal.SIGINT)
        finished = command.end()

    assert finished.code == 0
    assert [event["data"]["n"] for event in finished.lines] == [3, 4, 5, 6]
    assert finished.err == ""


def test_types(terminal, corner):
    """
    Of one event type, one aggregate type, or both, on whatever day; a day narrows it down.
    """
    store = corner.store()
    old = [NewEvent("A", {"n": 1}, timestamp_ms=DAY_MS), NewEvent("B", {"n": 2}, timestamp_ms=DAY_MS)]
    store.append(ITEM, [*old, NewEvent("A", {"n": 3})], expected_version=0)
    store.append(AggregateRef("ORDER", "7"), [NewEvent("A", {"n": 4})], expected_version=0)

    tail = ["eventstore", "tail", "--json"]
    found = terminal.run_all(
        {
            "type": [*tail, "--type", "A"],
            "both": [*tail, "--type", "A", "--aggregate-type", "ITEM", "-n", "1"],
            "day": [*tail, "--aggregate-type", "ITEM", "--day", "2023-11-14"],
            "none": ["eventstore", "tail", "--type", "C"],
            "day and follow": [*tail, "--day", "2023-11-14", "--follow"],
        },
    )

    codes = {name: finished.code for name, finished in found.items()}
    assert codes == {**dict.fromkeys(found, 0), "day and follow": 2}
    shown = {name: [event["data"]["n"] for event in finished.lines] for name, finished in found.items()}
    assert shown["type"] == [1, 3, 4]
    assert (shown["both"], shown["day"]) == ([3], [1, 2])
    assert (found["none"].out, found["none"].err) == ("", "no such events\n")
    assert "--follow continues from now" in found["day and follow"].error


def test_follow_a_type(terminal, corner):
    """
    Only that type comes, a line of text each, and what would steer a terminal is written out.
    """
    store = corner.store()
    store.append(ITEM, [NewEvent("A", {"n": 1}), NewEvent("B", {"n": 2})], expected_version=0)

    with terminal.start("eventstore", "tail", "--follow", "--type", "A") as command:
        command.until_said('{"n":1}')
        store.append(ITEM, [NewEvent("B", {"n": 3}), NewEvent("A", {"n": 4})], expected_version=2)
        command.until_said('{"n":4}')
        command.signal(signal.SIGINT)
        finished = command.end()

    assert (finished.code, finished.err) == (0, "")
    assert [line.split("  ")[1:] for line in finished.out.splitlines()] == [
        ["SKU-1 1", "A", '{"n":1}'],
        ["SKU-1 4", "A", '{"n":4}'],
    ]
