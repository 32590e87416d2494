"""What can go wrong with a good history, and exactly which promises that breaks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from eventstore import NewEvent
from relay.testing.checker import Acknowledged, Promise, WrittenCommit
from tests.unit.checker.story import JANUARY_ENDS_MS, MONTHS, TIMES, Story, add_commit

FIRST, SECOND, THIRD, FOURTH, OTHER, REPEAT = range(6)
"""Places of rows, messages and documents: four of the order, one of the item, and message 2 once more."""

Spoil = Callable[[Story], object]


def row(place: int, **attributes: Any) -> Spoil:
    return lambda story: story.change_row(place, **attributes)


def message(place: int, **fields: Any) -> Spoil:
    return lambda story: story.change_message(place, **fields)


def header(place: int, name: str, value: Any) -> Spoil:
    return lambda story: story.change_header(place, name, value)


def source(place: int, name: str, value: Any) -> Spoil:
    return lambda story: story.change_source(place, name, value)


def lose_second_event(story: Story) -> None:
    """The store, the bus and the index know nothing of it."""
    for seen in (story.rows, story.documents):
        del seen[SECOND]  # type: ignore[attr-defined]
    story.messages = [each for each in story.messages if each.message_id != "commit-a-2"]


def swap_messages(one: int, other: int) -> Spoil:
    def spoil(story: Story) -> None:
        story.messages[one], story.messages[other] = story.messages[other], story.messages[one]

    return spoil


def make_up_message(story: Story) -> None:
    headers = {**story.messages[OTHER].headers, "cloudEvents_id": "made-up", "cloudEvents_sequencenumber": 2}
    story.messages.append(replace(story.messages[OTHER], message_id="made-up", headers=headers))


def make_up_document(story: Story) -> None:
    there = story.documents[OTHER]
    story.documents.append(replace(there, document_id="made-up", source={**there.source, "event_id": "made-up"}))


def store_again(story: Story) -> None:
    """The first commit is stored once more under another commit id, as when a repeat is taken for a new append."""
    first = story.written[0]
    add_commit(story, ("Order", "order-17"), "commit-again", first.events, first=5, epoch=2, times=TIMES, months=MONTHS)  # type: ignore[arg-type]
    del story.written[-1]


def store_unasked(story: Story) -> None:
    event = NewEvent("Lost", {}, {}, 1, JANUARY_ENDS_MS)
    add_commit(story, ("Item", "sku-1"), "commit-d", (event,), first=2, times=TIMES, months=MONTHS)
    del story.written[-1]


def refuse(story: Story) -> None:
    story.written[2] = replace(story.written[2], acknowledged=None, is_refused=True)


def acknowledge(place: int, *told: Any) -> Spoil:
    def spoil(story: Story) -> None:
        story.written[place] = replace(story.written[place], acknowledged=Acknowledged(*told))

    return spoil


def acknowledge_what_is_not_there(story: Story) -> None:
    event = NewEvent("Lost", {}, {}, 1, JANUARY_ENDS_MS)
    story.written.append(WrittenCommit("sku-2", "Item", (event,), Acknowledged("commit-x", 1, 1)))


def acknowledge_two_as_one(story: Story) -> None:
    story.written.append(replace(story.written[2], events=(NewEvent("Lost", {}, {}, 1, JANUARY_ENDS_MS),)))


def renumber_row(place: int, number: int) -> Spoil:
    """Give an event another number, everywhere and also in the span of its commit, which has no other."""

    def spoil(story: Story) -> None:
        n = {"N": str(number)}
        story.change_row(place, sequenceNumber=n, commitFirst=n, commitLast=n)
        story.change_header(place, "cloudEvents_sequencenumber", number)
        for name in ("sequence_number", "commit_first", "commit_last"):
            story.change_source(place, name, number)
        acknowledge(2, "commit-c", number, number)(story)

    return spoil


def give_number_to_two(story: Story) -> None:
    """A second commit with number 1 of the item."""
    event = NewEvent("Lost", {}, {}, 1, JANUARY_ENDS_MS)
    add_commit(story, ("Item", "sku-1"), "commit-d", (event,), times=TIMES, months=MONTHS)


def give_number_to_two_of_a_commit(story: Story) -> None:
    story.rows.append({**story.rows[FIRST], "eventId": {"S": "another"}})


def put_epochs_in_turn(story: Story) -> None:
    """The earlier commit of the order is of epoch 3, as its messages and documents say."""
    for place in (FIRST, SECOND):
        story.change_row(place, epoch={"N": "3"})
        story.change_source(place, "epoch", 3)
    for place in (FIRST, SECOND, REPEAT):
        story.change_header(place, "cloudEvents_epoch", 3)
    story.messages = [story.messages[place] for place in (THIRD, FOURTH, FIRST, SECOND, OTHER)]


def in_two_indices(story: Story) -> None:
    story.documents.append(replace(story.documents[FIRST], index="inventory-events-2025.02"))


P = Promise
BAD: dict[str, tuple[Spoil, set[Promise]]] = {
    "store: a row without a payload": (
        row(OTHER, eventData=None),
        {P.READABLE, P.ACKNOWLEDGED, P.ONLY_STORED_SENT, P.ONLY_STORED_INDEXED},
    ),
    "store: a key of an index is of another type": (row(OTHER, eventTypeShard={"S": "Lost#3"}), {P.INDEX_KEYS}),
    "store: a key of an index is of another day": (row(OTHER, dayShard={"S": "1989-06-29#3"}), {P.INDEX_KEYS}),
    "store: a key of an index has no shard": (row(OTHER, aggregateTypeShard={"S": "Item"}), {P.INDEX_KEYS}),
    "store: keys of indexes of two shards": (row(OTHER, dayShard={"S": "1989-06-28#4"}), {P.INDEX_KEYS}),
    "store: an id is given twice": (lambda story: story.rows.append(story.rows[OTHER]), {P.ID_ONCE, P.NUMBER_ONCE}),
    "store: a number is given twice": (give_number_to_two, {P.NUMBER_ONCE}),
    "store: a number is given twice in a commit": (
        give_number_to_two_of_a_commit,
        {P.NUMBER_ONCE, P.SENT, P.INDEXED},
    ),
    "store: a hole": (renumber_row(OTHER, 2), {P.NO_HOLES}),
    "store: half a commit": (lose_second_event, {P.WHOLE_COMMITS, P.ACKNOWLEDGED}),
    "store: an aggregate of two types": (
        row(
            OTHER,
            aggregateId={"S": "order-17"},
            sequenceNumber={"N": "5"},
            commitFirst={"N": "5"},
            commitLast={"N": "5"},
        ),
        {P.ONE_TYPE, P.EPOCHS_RISE, P.ACKNOWLEDGED, P.SENT_AS_STORED, P.INDEXED_AS_STORED},
    ),
    "store: an epoch that goes back": (put_epochs_in_turn, {P.EPOCHS_RISE}),
    "writers: two events of a commit are swapped": (
        lambda story: story.written.__setitem__(
            0, replace(story.written[0], events=tuple(reversed(story.written[0].events)))
        ),
        {P.AS_WRITTEN},
    ),
    "writers: something was stored that nobody wrote": (store_unasked, {P.ONLY_WRITTEN}),
    "writers: a request was stored twice": (store_again, {P.STORED_ONCE}),
    "writers: a refused request was stored": (refuse, {P.REFUSED}),
    "writers: an acknowledged commit is not there": (acknowledge_what_is_not_there, {P.ACKNOWLEDGED}),
    "writers: two appends were told of one commit": (acknowledge_two_as_one, {P.ACKNOWLEDGED}),
    "writers: told of other numbers": (acknowledge(2, "commit-c", 2, 2), {P.ACKNOWLEDGED}),
    "writers: told of more events": (acknowledge(2, "commit-c", 1, 2), {P.ACKNOWLEDGED}),
    "writers: told of another commit": (acknowledge(2, "commit-x", 1, 1), {P.ACKNOWLEDGED, P.STORED_ONCE}),
    "bus: an event is lost": (lambda story: story.messages.pop(OTHER), {P.SENT}),
    "bus: an event is made up": (make_up_message, {P.ONLY_STORED_SENT}),
    "bus: two events are swapped": (swap_messages(THIRD, FOURTH), {P.IN_ORDER}),
    "bus: two events of a commit are swapped": (swap_messages(FIRST, SECOND), {P.IN_ORDER}),
    "bus: a repeat has another body": (message(REPEAT, body=b"{}"), {P.SAME_AGAIN}),
    "bus: a repeat has another header": (header(REPEAT, "cloudEvents_epoch", 2), {P.SAME_AGAIN}),
    "bus: a repeat lacks a header": (header(REPEAT, "cloudEvents_time", None), {P.SAME_AGAIN}),
    "bus: an event comes once too often": (lambda story: story.messages.append(story.messages[0]), {P.FEW_REPEATS}),
    "bus: a body is written in another way": (message(OTHER, body=b'{"quantity":3}'), {P.SENT_AS_STORED}),
    "bus: a header nobody knows": (header(OTHER, "cloudEvents_more", "x"), {P.SENT_AS_STORED}),
    "bus: a correlation id from nowhere": (
        header(OTHER, "cloudEvents_correlationid", "c-9"),
        {P.SENT_AS_STORED},
    ),
    "index: an event is lost": (lambda story: story.documents.pop(OTHER), {P.INDEXED}),
    "index: an event is made up": (make_up_document, {P.ONLY_STORED_INDEXED}),
    "index: a field nobody knows": (source(OTHER, "more", 1), {P.INDEXED_AS_STORED}),
    "index: in another month": (
        lambda story: story.documents.__setitem__(0, replace(story.documents[0], index="inventory-events-2025.02")),
        {P.OWN_MONTH},
    ),
    "index: of another store": (
        lambda story: story.documents.__setitem__(0, replace(story.documents[0], index="other-events-2025.01")),
        {P.OWN_MONTH},
    ),
    "index: in two months": (in_two_indices, {P.ONE_DOCUMENT}),
    "outbox: a row is left": (lambda story: story.owed.append(("order-17", 4)), {P.NOTHING_OWED}),
}
"""What goes wrong, and exactly which promises that breaks."""
