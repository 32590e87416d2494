"""Drop: only in its turn, only as it was seen, once, and never without a record."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from eventstore import TableNames
from eventstore.cli.output.envelope import exit_code_of
from eventstore.errors import OutcomeUnknownError, TryLaterError
from eventstore.testing.dynamodb.errors import ServiceError
from relay.operating.parked.drop import Dropped, Dropper, DropRefusedError

from .conftest import BACKOFF, Night, marks_of

Effect = Callable[[], dict[str, Any]]


def dropper(night: Night, *names: str) -> Dropper:
    return Dropper(night.client, TableNames(), night.runtime, BACKOFF, names or ("bus", "index"))


def drop(night: Night, aggregate_id: str, last: int, destination: str | None = None, *names: str) -> Dropped:
    tool = dropper(night, *names)
    row, marks = tool.find((aggregate_id, last), destination)
    return tool.drop(row.id, marks, "ann", "the product was never sold")


def test_the_row_goes_when_nothing_is_owed_any_more(night: Night) -> None:
    """
    The index has it, the bus never will: row and audit record change in one transaction.
    """
    night.append("a")
    night.park("a", 1, "bus", delivered={"SS": ["index"]})
    before = night.way.count("TransactWriteItems")

    done = drop(night, "a", 1)

    assert done.settled
    assert night.items() == []
    assert night.way.count("TransactWriteItems") - before == 1
    (record,) = night.audits()
    assert record["recordKey"]["S"] == done.record.record_id
    assert (record["verb"], record["by"]) == ({"S": "drop"}, {"S": "ann"})
    assert record["reason"] == {"S": "the product was never sold"}
    about = {name: value["S"] for name, value in record["about"]["M"].items()}
    assert about == {
        "aggregate": "a",
        "first": "1",
        "last": "1",
        "type": "ITEM",
        "destinations": "bus",
        "error class": "too_large",
        "mark": "bus cannot take it",
    }


def test_a_row_that_another_destination_is_owed_stays(night: Night) -> None:
    """
    The mark becomes a delivery, added to what is there, and the mark of another destination stays.
    """
    night.append("a")
    night.park("a", 1, "bus", "index", delivered={"SS": ["file"]})

    done = drop(night, "a", 1, "bus", "bus", "index", "file")

    assert not done.settled
    row = night.item("a", 1)
    assert row is not None
    assert sorted(row["delivered"]["SS"]) == ["bus", "file"]
    assert marks_of(row) == ["index"]


def test_all_marks_of_a_row_are_dropped_together(night: Night) -> None:
    """
    Unless one destination is named.
    """
    night.append("a")
    night.park("a", 1, "bus", "index")

    assert drop(night, "a", 1).settled
    assert night.items() == []
    assert len(night.audits()) == 1


def test_what_waited_behind_it_goes_on(night: Night) -> None:
    """
    The consumer sees the hole; the next number is greater than the last one applied, so its rule passes over it.
    """
    night.append("a", 4)
    night.park("a", 2, "bus")
    first = night.type("replay")
    drop(night, "a", 2)
    second = night.type("replay")

    assert (first.code, second.code) == (4, 0)
    assert night.on_bus() == [("a", 1), ("a", 3), ("a", 4)]
    assert night.items() == []


def test_not_before_its_turn(night: Night) -> None:
    """
    The commit before it is still owed to the bus and would come after the hole.
    """
    night.append("a", 2)
    night.park("a", 2, "bus")

    with pytest.raises(DropRefusedError, match="commit before it, commit a 1, is still owed to the bus"):
        drop(night, "a", 2)
    assert marks_of(night.item("a", 2)) == ["bus"]
    assert night.audits() == []


def test_in_its_turn_when_the_row_before_it_says_that_the_bus_has_it(night: Night) -> None:
    """
    That row is still there because the index lacks it.
    """
    night.append("a", 2)
    night.change("a", 1, delivered={"SS": ["bus"]})
    night.park("a", 2, "bus", delivered={"SS": ["index"]})

    assert drop(night, "a", 2).settled


def test_for_the_index_no_turn_is_needed(night: Night) -> None:
    """
    The index keeps no order, so nothing can come after a hole.
    """
    night.append("a", 2)
    night.park("a", 2, "index")

    assert not drop(night, "a", 2).settled
    row = night.item("a", 2)
    assert row is not None
    assert row["delivered"] == {"SS": ["index"]}


def test_the_turn_is_checked_in_the_transaction_too(night: Night) -> None:
    """
    A predecessor comes into sight between the question and the write, as no sound store lets it: nothing is dropped.
    """

    def intervene(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            night.way.trap = None
            night.client.put_item(TableName="inventory_outbox", Item=before)
        return effect()

    night.append("a", 2)
    before = night.item("a", 1)
    assert before is not None
    night.client.delete_item(
        TableName="inventory_outbox", Key={"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "1"}}
    )
    night.park("a", 2, "bus")
    night.way.trap = intervene

    with pytest.raises(DropRefusedError, match="still owed"):
        drop(night, "a", 2)
    assert night.audits() == []


def test_a_mark_that_changed_after_it_was_seen(night: Night) -> None:
    """
    What was confirmed is not what would be dropped now.
    """
    night.append("a")
    night.park("a", 1, "bus")
    tool = dropper(night)
    row, marks = tool.find(("a", 1), None)
    night.park("a", 1, "bus", error_class="another")

    with pytest.raises(DropRefusedError, match="changed in the meantime"):
        tool.drop(row.id, marks, "ann", "why")
    assert night.audits() == []


@pytest.mark.parametrize("moment", ["TransactGetItems", "TransactWriteItems"])
def test_another_commit_with_the_same_mark_is_not_dropped(night: Night, moment: str) -> None:
    """
    The tables were remade after the operator looked, before or after the last look: the mark is word for word the same.
    """

    def intervene(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == moment:
            night.way.trap = None
            night.change("a", 1, commitId={"S": "another"})
        return effect()

    night.append("a")
    night.park("a", 1, "index")
    tool = dropper(night)
    row, marks = tool.find(("a", 1), None)
    night.way.trap = intervene

    with pytest.raises(DropRefusedError, match="changed in the meantime"):
        tool.drop(row.id, marks, "ann", "why")
    assert night.audits() == []
    assert "delivered" not in (night.item("a", 1) or {})


def test_a_broken_row_without_a_commit_id_is_dropped(night: Night) -> None:
    """
    It says no commit id when it is looked at, and none when it goes.
    """
    night.append("a")
    night.park("a", 1, "bus", delivered={"SS": ["index"]}, commitId=None)

    assert drop(night, "a", 1).settled
    assert night.items() == []


def test_a_release_at_the_same_moment_wins(night: Night) -> None:
    """
    The mark goes between the last look and the transaction: the transaction is refused as a whole.
    """

    def intervene(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            night.way.trap = None
            night.change("a", 1, parked={"M": {}})
        return effect()

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = intervene

    with pytest.raises(DropRefusedError, match="changed in the meantime"):
        drop(night, "a", 1)
    assert night.audits() == []
    assert "delivered" not in (night.item("a", 1) or {})


def test_a_delivery_at_the_same_moment_wins(night: Night) -> None:
    """
    A worker that was slow notes that the bus has it, between the last look and the transaction: nothing is given up.
    """

    def intervene(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            night.way.trap = None
            night.change("a", 1, delivered={"SS": ["bus"]})
        return effect()

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = intervene

    with pytest.raises(DropRefusedError, match="changed in the meantime"):
        drop(night, "a", 1)
    assert night.audits() == []


@pytest.mark.parametrize("operation", ["TransactGetItems", "TransactWriteItems"])
def test_the_index_takes_it_at_the_same_moment(night: Night, operation: str) -> None:
    """
    Whoever sees the set complete deletes the row, before or after the transaction; it does not stay behind.
    """
    asked: list[str] = []

    def intervene(name: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        asked.append(name)
        due = asked.count("TransactGetItems") == 2 if operation == "TransactGetItems" else True
        if name != operation or not due:
            return effect()
        night.way.trap = None
        reply = effect()
        if night.item("a", 1) is not None:
            night.change("a", 1, delivered={"SS": sorted({"index", *row_delivered(night)})})
        return reply

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = intervene

    assert drop(night, "a", 1).settled
    assert night.items() == []
    assert len(night.audits()) == 1


def row_delivered(night: Night) -> list[str]:
    return list((night.item("a", 1) or {}).get("delivered", {}).get("SS", []))


def test_a_lost_reply_is_one_deed(night: Night) -> None:
    """
    The transaction is repeated under its token, so there is one record, and no refusal.
    """
    lost: list[str] = []

    def lose(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        reply = effect()
        if operation == "TransactWriteItems" and not lost:
            lost.append(operation)
            raise ServiceError("InternalServerError", "the reply is lost", status=500)
        return reply

    night.append("a")
    night.park("a", 1, "bus", delivered={"SS": ["index"]})
    night.way.trap = lose

    assert drop(night, "a", 1).settled
    assert lost
    assert len(night.audits()) == 1


def test_a_lost_reply_is_one_deed_also_when_its_token_is_forgotten(night: Night) -> None:
    """
    DynamoDB knows a token for ten minutes; an attempt after that is refused by what the first one has changed.
    """
    lost: list[str] = []

    def lose(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        reply = effect()
        if operation == "TransactWriteItems" and not lost:
            lost.append(operation)
            night.database._engine.tokens._used.clear()
            raise ServiceError("InternalServerError", "the reply is lost", status=500)
        return reply

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = lose

    assert not drop(night, "a", 1).settled, "the index is still owed"
    assert lost
    assert row_delivered(night) == ["bus"]
    assert len(night.audits()) == 1


def test_a_drop_whose_replies_are_all_lost_is_not_called_refused(night: Night) -> None:
    """
    It has happened and is audited: the error says so much and what to do, and a second drop finds nothing left.
    """

    def lose(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        reply = effect()
        if operation == "TransactWriteItems":
            raise ServiceError("InternalServerError", "the reply is lost", status=500)
        return reply

    night.append("a")
    night.park("a", 1, "bus", delivered={"SS": ["index"]})
    night.way.trap = lose

    with pytest.raises(OutcomeUnknownError, match=r"commit a 1.*drop it again") as caught:
        drop(night, "a", 1)
    assert not isinstance(caught.value, TryLaterError)
    assert exit_code_of(caught.value) == 5
    assert len(night.audits()) == 1
    with pytest.raises(DropRefusedError, match="not in the outbox"):
        drop(night, "a", 1)


def test_a_server_that_refuses_for_load(night: Night) -> None:
    """
    After so many attempts it says try later; nothing is dropped.
    """

    def refuse(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "TransactWriteItems":
            raise ServiceError("ThrottlingException", "slow down")
        return effect()

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = refuse

    with pytest.raises(TryLaterError):
        drop(night, "a", 1)
    assert marks_of(night.item("a", 1)) == ["bus"]


@pytest.mark.parametrize(
    ("aggregate_id", "last", "destination", "words"),
    [
        ("nobody", 1, None, "is not in the outbox"),
        ("a", 7, None, "is not in the outbox"),
        ("a", 1, None, "is not parked"),
        ("b", 1, "bus", "is not parked for bus"),
        ("c", 5, None, "does not say where it begins"),
    ],
)
def test_what_cannot_be_dropped(
    night: Night, aggregate_id: str, last: int, destination: str | None, words: str
) -> None:
    """
    Each is refused with a sentence that says why, and nothing changes.
    """
    night.append("a")
    night.append("b")
    night.park("b", 1, "index")
    night.append("c", events=5)
    night.park("c", 5, "bus", firstSequence={"S": "x"})
    before = night.items()

    with pytest.raises(DropRefusedError, match=words):
        drop(night, aggregate_id, last, destination)
    assert night.items() == before
    assert night.audits() == []


def test_the_command_asks_and_takes_no_for_an_answer(night: Night) -> None:
    """
    It shows what would be dropped first; no answer at all is a no.
    """
    night.append("a")
    night.park("a", 1, "bus")

    refused = night.type("parked", "drop", "a", "1", "--reason", "why", stdin="n\n")
    silent = night.type("parked", "drop", "a", "1", "--reason", "why")
    untouched = marks_of(night.item("a", 1))
    done = night.type("parked", "drop", "a", "1", "--reason", "why", "--by", "ann", stdin="y\n")

    assert refused.code == silent.code == 1
    assert (
        "commit a 1 to 1, type ITEM\n  bus will never get it: bus cannot take it\nDrop it permanently? [y/N]"
        in refused.out
    )
    assert refused.err == "error: not confirmed; nothing was changed\n"
    assert untouched == ["bus"]
    assert done.code == 0
    assert "dropped a 1 for bus; it is still owed to other destinations." in done.out


def test_the_command_for_scripts(night: Night) -> None:
    """
    `--yes` asks nothing; `--json` is one document; a second time there is nothing to drop.
    """
    night.append("a")
    night.park("a", 1, "bus", "index")

    done = night.type("parked", "drop", "a", "1", "--reason", "why", "--yes", "--json")
    again = night.type("parked", "drop", "a", "1", "--reason", "why", "--yes", "--json")
    listed = night.type("audit", "list", "--json")

    assert done.code == 0
    audit_id = done.data["audit_id"]
    assert done.data == {
        "aggregate_id": "a",
        "last": 1,
        "destinations": ["bus", "index"],
        "settled": True,
        "audit_id": audit_id,
    }
    assert again.code == 1
    assert again.document["status"] == "error"
    assert [record["id"] for record in listed.data] == [audit_id]


def test_the_destinations_in_force_decide_whether_a_row_goes(night: Night) -> None:
    """
    The workers know a third destination, of which this terminal has never heard: the row stays owed to it.
    """
    night.append("a")
    night.park("a", 1, "bus", delivered={"SS": ["index"]})
    night.write_settings("bus", "index", "archive")

    done = night.type("parked", "drop", "a", "1", "--reason", "why", "--yes")

    assert done.code == 0
    row = night.item("a", 1)
    assert row is not None
    assert sorted(row["delivered"]["SS"]) == ["bus", "index"]


@pytest.mark.parametrize(
    "arguments",
    [["a", "1"], ["a", "0", "--reason", "x"], ["a", "1", "--reason", "  "], ["", "1", "--reason", "x", "--yes"]],
)
def test_arguments_that_cannot_be_meant(night: Night, arguments: list[str]) -> None:
    """
    No reason, an empty one, no number, no aggregate: exit code 2, and nothing changes.
    """
    night.append("a")
    night.park("a", 1, "bus")

    assert night.type("parked", "drop", *arguments).code == 2
    assert marks_of(night.item("a", 1)) == ["bus"]


def test_a_mark_as_old_releases_wrote_it(night: Night) -> None:
    """
    A mark that is bare text is a mark.
    """
    night.append("a")
    night.change("a", 1, parked={"M": {"bus": {"S": "bad"}}}, delivered={"SS": ["index"]})

    assert drop(night, "a", 1).settled


def test_a_drop_has_happened_whatever_becomes_of_the_look_behind_it(night: Night) -> None:
    """
    The row that another destination is owed is looked at once more, and DynamoDB does not answer: it was dropped.
    """
    night.append("a")
    night.park("a", 1, "bus")
    written = False

    def fall_silent(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        nonlocal written
        if written:
            raise ServiceError("ThrottlingException", "Rate exceeded")
        written = operation == "TransactWriteItems"
        return effect()

    night.way.trap = fall_silent
    done = drop(night, "a", 1, "bus")
    night.way.trap = None

    assert not done.settled
    assert marks_of(night.item("a", 1)) == []
    assert len(night.audits()) == 1
