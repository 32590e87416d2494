"""`relay run` with a file as a third destination, killed and started again."""

import json
import signal
from pathlib import Path

import pytest

from eventstore import AggregateRef, NewEvent
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

COMMITS = 60


def test_every_event_is_a_line_also_after_a_kill(terminal, corner, tmp_path):
    """
    A relay is killed while it delivers, and leaves half a line; the next one cuts it off, and the outbox gets empty.
    """
    path = tmp_path / "events.jsonl"
    there = terminal.with_settings(RELAY_FILE_PATH=str(path), RELAY_LEASE_SECONDS="2", RELAY_SWEEP_MIN_AGE_SECONDS="2")
    store = corner.store()
    with there.start("relay", "run") as first:
        for number in range(COMMITS):
            item = AggregateRef("ITEM", f"SKU-{number % 7}")
            events = [NewEvent("Counted", {"n": number}), NewEvent("Moved", {"n": number})]
            store.append(item, events, expected_version=2 * (number // 7))
        until(lambda: path.exists() and path.stat().st_size > 0, "something was delivered to the file")
        first.signal(signal.SIGKILL)
        first.end()
    with path.open("ab") as file:
        file.write(b'{"specversion":"1.0","id":"01949a8e-5b5f-7000')

    with there.start("relay", "run") as second:
        until(
            lambda: corner.client.scan(TableName="inventory_outbox", Select="COUNT")["Count"] == 0,
            "the outbox is empty",
        )
        second.signal(signal.SIGTERM)
        assert second.end().code == 0

    numbers = _numbers(path)
    assert {name: sorted(set(found)) for name, found in numbers.items()} == {
        f"SKU-{name}": list(range(1, 2 * len(range(name, COMMITS, 7)) + 1)) for name in range(7)
    }


def _numbers(path: Path) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for line in path.read_text().splitlines():
        event = json.loads(line)
        numbers.setdefault(event["aggregateid"], []).append(event["sequencenumber"])
    return numbers
