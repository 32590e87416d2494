"""A ledger is about the present tables: former ones are closed, and what was restored is known for what it is."""

from collections.abc import Callable
from typing import Any

import pytest

from relay.destinations.bus.broker import Message
from relay.testing.checker import TrueEvent
from tests.simulation.content import meant
from tests.simulation.ledger import Ledger, Violation
from tests.simulation.scheduler import Scheduler


def run(body: Callable[[Ledger], None]) -> None:
    scheduler = Scheduler("1", stickiness=0.3, steps_max=1_000)
    scheduler.run(lambda: body(Ledger(scheduler)))


def item(commit_id: str, number: int, epoch: int) -> dict[str, Any]:
    """Return the row of the only event of a commit; its number is its request's name too."""
    request = f"{commit_id}-request"
    return {
        "aggregateId": {"S": "a"},
        "aggregateType": {"S": "ITEM"},
        "sequenceNumber": {"N": str(number)},
        "eventId": {"S": f"{commit_id}-event"},
        "eventType": {"S": str(meant(request, 0)["type"])},
        "version": {"N": "1"},
        "eventData": {"S": f'{{"request":"{request}","place":0,"of":1,"group":1}}'},
        "metadata": {"S": f'{{"correlation_id":"{request}/0"}}'},
        "timestamp": {"N": "0"},
        "commitId": {"S": commit_id},
        "commitFirst": {"N": str(number)},
        "commitLast": {"N": str(number)},
        "epoch": {"N": str(epoch)},
    }


def stored(ledger: Ledger, commit_id: str, number: int, epoch: int = 1) -> Message:
    """Store a commit of one event; return the message of it."""
    row = {
        "aggregateId": {"S": "a"},
        "sequenceNumber": {"N": str(number)},
        "firstSequence": {"N": str(number)},
        "commitId": {"S": commit_id},
        "aggregateType": {"S": "ITEM"},
        "epoch": {"N": str(epoch)},
    }
    ledger.commit(row, [item(commit_id, number, epoch)])
    event = TrueEvent.from_row(item(commit_id, number, epoch))
    headers: dict[str, str | int] = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": event.event_id,
        "cloudEvents_source": "/inventory",
        "cloudEvents_type": "ITEM.COUNTED",
        "cloudEvents_subject": "a",
        "cloudEvents_time": "1970-01-01T00:00:00.000Z",
        "cloudEvents_aggregatetype": "ITEM",
        "cloudEvents_aggregateid": "a",
        "cloudEvents_sequencenumber": number,
        "cloudEvents_epoch": epoch,
        "cloudEvents_schemaversion": 1,
        "cloudEvents_commitid": commit_id,
        "cloudEvents_correlationid": f"{commit_id}-request/0",
    }
    return Message("ITEM.COUNTED", event.event_id, f"{commit_id}-request/0", headers, event.data_json.encode())


def take(ledger: Ledger, message: Message) -> None:
    ledger.see_message(message)
    ledger.take_message(message, ledger.known_as(message))


def test_numbers_begin_anew() -> None:
    """What the bus has of a former store says nothing about one of the same name."""

    def body(ledger: Ledger) -> None:
        take(ledger, stored(ledger, "one", 1))
        take(ledger, stored(ledger, "two", 2))
        ledger.begin_anew(None)
        other = stored(ledger, "other", 1)
        commit = ledger.commits["a", 1]
        assert not ledger.has("bus", commit)
        take(ledger, other)
        assert ledger.has("bus", commit)
        assert [first[:2] for first in ledger.taken.firsts] == [("1/a", 1), ("1/a", 2), ("2/a", 1)]

    run(body)


def test_what_was_on_its_way_may_still_come() -> None:
    """An event of the former store is looked at, and delivers nothing of the present one."""

    def body(ledger: Ledger) -> None:
        take(ledger, stored(ledger, "one", 1))
        late = stored(ledger, "two", 2)
        ledger.begin_anew(None)
        stored(ledger, "other", 1)
        take(ledger, late)
        assert ledger.known_as(late) == "1/a"
        assert not ledger.has("bus", ledger.commits["a", 1])

    run(body)


def test_order_is_that_of_the_present_store() -> None:
    """A second event before the first is found, whatever the former store had delivered."""

    def body(ledger: Ledger) -> None:
        take(ledger, stored(ledger, "one", 1))
        ledger.begin_anew(None)
        stored(ledger, "other", 1)
        take(ledger, stored(ledger, "another", 2))

    with pytest.raises(Violation, match="first deliveries are in order"):
        run(body)


def test_what_was_never_stored_is_found_in_any_generation() -> None:
    """An id that no store had."""

    def body(ledger: Ledger) -> None:
        message = stored(Ledger(ledger._scheduler), "one", 1)
        ledger.begin_anew(None)
        take(ledger, message)

    with pytest.raises(Violation, match="only what is stored is sent"):
        run(body)


def test_content_of_former_events_is_looked_at() -> None:
    """A message of a former store under another epoch."""

    def body(ledger: Ledger) -> None:
        message = stored(ledger, "one", 1)
        ledger.begin_anew(None)
        take(ledger, Message(**{**_fields(message), "headers": {**message.headers, "cloudEvents_epoch": 2}}))

    with pytest.raises(Violation, match="what arrives is what was written"):
        run(body)


def test_a_restore_keeps_what_the_bus_has() -> None:
    """What came after the backup is gone, what is on the bus is there, and what was owed is owed again."""

    def body(ledger: Ledger) -> None:
        take(ledger, stored(ledger, "one", 1))
        owed = stored(ledger, "two", 2)
        backup = ledger.moment()
        lost = stored(ledger, "three", 3)
        ledger.begin_anew(backup)
        assert sorted(ledger.commits) == [("a", 1), ("a", 2)]
        assert ledger.versions == {"a": 2}
        assert ledger.has("bus", ledger.commits["a", 1])
        assert not ledger.has("bus", ledger.commits["a", 2])
        take(ledger, lost)
        assert ledger.known_as(lost) == "1/a"
        take(ledger, owed)
        take(ledger, stored(ledger, "new three", 3, epoch=2))
        assert ledger.has("bus", ledger.commits["a", 3])

    run(body)


def test_what_the_bus_got_after_the_backup_it_has() -> None:
    """Its row is owed again in the restored store, and whoever settles it tells the truth."""

    def body(ledger: Ledger) -> None:
        one, two = stored(ledger, "one", 1), stored(ledger, "two", 2)
        backup = ledger.moment()
        take(ledger, one)
        take(ledger, two)
        assert not ledger.has_dropped_since(backup)
        ledger.begin_anew(backup)
        assert ledger.has("bus", ledger.commits["a", 2])
        assert ledger.known_as(two) == "2/a"

    run(body)


def test_a_drop_after_the_backup_is_seen() -> None:
    """Such a backup is not restored here."""

    def body(ledger: Ledger) -> None:
        stored(ledger, "one", 1)
        backup = ledger.moment()
        ledger.drop("bus", ledger.commits["a", 1])
        assert ledger.has_dropped_since(backup)

    run(body)


def _fields(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in Message.__dataclass_fields__}
