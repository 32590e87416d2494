"""`relay demo` as a process: its figures, its input, its ends."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.acceptance.cli.commands import Terminal, end_all
from tests.support.ports import nobody
from tests.support.waiting import until

pytestmark = pytest.mark.acceptance

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
GOOD = [
    '536365,85123A,"HEART, WHITE",6,2010-12-01 08:26:00,2.55,17850,United Kingdom',
    "536365,71053,LANTERN,6,2010-12-01 08:26:00,3.39,17850,United Kingdom",
    "536366,85123A,HEART,-2,2010-12-01 08:28:00,2.55,,France",
]
COUNTS = ["commits", "events", "published", "distinct_published", "indexed", "duplicates", "missing", "order_breaks"]
KEYS = ["stack", "input", *COUNTS, "outbox_left", "seconds", "delay_ms"]


def file(folder: Path, name: str, *lines: str, end: str = "\n", start: bytes = b"") -> str:
    (folder / name).write_bytes(start + "".join(line + end for line in lines).encode())
    return name


def test_its_figures(bare):
    """
    The envelope has exactly these keys, in this order; the scenario's first fifty commits arrive, in order.
    """
    finished = bare.run("relay", "demo", "--json", "--limit", "50")

    assert finished.code == 0
    assert list(finished.document) == ["version", "status", "data", "diagnostics"]
    assert (finished.document["version"], finished.document["status"]) == (1, "ok")
    assert finished.document["diagnostics"] == []
    data = finished.document["data"]
    assert list(data) == KEYS
    assert list(data["delay_ms"]) == ["p50", "p99"]
    assert (data["stack"], data["input"], data["commits"]) == ("embedded", "warehouse scenario, seed 1", 50)
    assert data["events"] == data["distinct_published"] == data["indexed"] >= 50
    assert [data[name] for name in ("missing", "order_breaks", "outbox_left")] == [0, 0, 0]
    assert 0 <= data["delay_ms"]["p50"] <= data["delay_ms"]["p99"]


def test_a_file(bare, tmp_path):
    """
    From Windows with a byte-order mark, or with more columns in another order: the same events.
    """
    turned = [",".join(["note", *HEADER.split(",")[::-1]]), *(",".join(["x", *each[::-1]]) for each in _cells())]
    files = {
        "windows.csv": file(tmp_path, "windows.csv", HEADER, *GOOD, end="\r\n", start=b"\xef\xbb\xbf"),
        "turned.csv": file(tmp_path, "turned.csv", *turned),
    }

    found = bare.run_all({name: ["relay", "demo", "--json", "--input", path] for name, path in files.items()})

    for name, finished in found.items():
        assert finished.code == 0, finished.err
        data = finished.document["data"]
        assert (data["input"], data["commits"], data["events"], data["missing"]) == (name, 3, 3, 0)


def _cells() -> list[list[str]]:
    return [line.replace('"HEART, WHITE"', "HEART").split(",") for line in GOOD]


UNREADABLE = {
    "quantity.csv": (
        [HEADER, *GOOD, GOOD[0].replace(",6,", ",six,")],
        "line 5: Quantity is 'six', which is not a number",
    ),
    "date.csv": ([HEADER, GOOD[1].replace("2010-12-01", "12/1/10")], "line 2: InvoiceDate is '12/1/10 08:26:00', not"),
    "short.csv": ([HEADER, "536365,71053,LANTERN"], "line 2: has no value for Quantity, InvoiceDate"),
    "columns.csv": ([HEADER.replace("Quantity", "Amount"), *GOOD], "line 1 lacks the columns Quantity"),
    "absent.csv": (None, "cannot be read: No such file or directory"),
}


def test_a_file_that_cannot_be_read(bare, tmp_path):
    """
    It ends with 2 and names the file, the line and the column, before anything is written.
    """
    for name, (lines, _) in UNREADABLE.items():
        if lines is not None:
            file(tmp_path, name, *lines)

    found = bare.run_all({name: ["relay", "demo", "--json", "--input", name] for name in UNREADABLE})

    assert {name: finished.code for name, finished in found.items()} == dict.fromkeys(UNREADABLE, 2)
    assert {name: found[name].error for name, (_, words) in UNREADABLE.items() if words not in found[name].error} == {}
    for name, finished in found.items():
        assert finished.error.startswith(name)
        assert finished.document == {"version": 1, "status": "error", "data": None, "diagnostics": [finished.error]}


def test_the_real_stack_without_servers(bare):
    """
    With no server named it ends with 2, with servers out of reach with 3; either way it says what to do.
    """
    unset = bare.run("relay", "demo", "--stack", "real", "--json")
    with nobody() as port:
        there = bare.with_settings(
            EVENTSTORE_DYNAMODB_ENDPOINT_URL=f"http://127.0.0.1:{port}",
            RELAY_RABBITMQ_URL=f"amqp://guest:guest@127.0.0.1:{port}//",
            RELAY_ELASTICSEARCH_URL=f"http://127.0.0.1:{port}",
        )
        unreachable = there.run("relay", "demo", "--stack", "real")

    assert (unset.code, unreachable.code) == (2, 3)
    for name in ("RELAY_RABBITMQ_URL", "RELAY_ELASTICSEARCH_URL"):
        assert f"{name}: Field required" in unset.error
    assert "`make up`" in unset.error
    assert unset.document["diagnostics"] == [unset.error]
    assert f"http://127.0.0.1:{port}" in unreachable.error
    assert "`make up`" in unreachable.error
    assert unreachable.out == ""


@pytest.mark.servers
def test_the_real_stack_with_one_server_gone(terminal):
    """
    The one that does not answer is named, with what to do; the exit code is 3.
    """
    with nobody() as port:
        bus = terminal.with_settings(RELAY_RABBITMQ_URL=f"amqp://guest:guest@127.0.0.1:{port}//")
        index = terminal.with_settings(RELAY_ELASTICSEARCH_URL=f"http://127.0.0.1:{port}")
        demo = ("relay", "demo", "--stack", "real", "--json")
        found = end_all({"RabbitMQ": bus.start(*demo), "Elasticsearch": index.start(*demo)})

    for name, finished in found.items():
        assert finished.code == 3
        assert finished.error.startswith(name)
        assert "`make up`" in finished.error
        assert "guest:guest" not in finished.error


def test_interrupted(bare):
    """
    Ctrl-C ends it soon, with 4 and a document that says so, without figures and without a traceback.
    """
    drawn = bare.with_settings(FORCE_COLOR="1", TERM="xterm")  # so that progress is shown, and we know it has begun
    with drawn.start("relay", "demo", "--json", "--limit", "100000") as demo:
        demo.until_said("commits appended")
        demo.signal(signal.SIGINT)
        finished = demo.end()

    assert finished.code == 4
    assert json.loads(finished.out) == {
        "version": 1,
        "status": "error",
        "data": None,
        "diagnostics": ["interrupted"],
    }
    assert finished.err.endswith("error: interrupted\n")


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(each) for task in tasks for each in task.read_text().split()]


@pytest.mark.servers
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found in /proc")
def test_interrupted_on_the_real_stack(terminal: Terminal):
    """
    Its relay ends with it: no process is left behind.
    """
    with terminal.start("relay", "demo", "--stack", "real", "--json", "--limit", "100000") as demo:
        until(lambda: children(demo.pid) != [], "its relay was started", timeout_seconds=60)
        (relay,) = children(demo.pid)
        demo.signal(signal.SIGTERM)
        finished = demo.end()

    assert finished.code == 4
    assert finished.err.endswith("error: interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(relay, 0)
