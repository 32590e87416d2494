"""The delivery tag map."""

import pytest

from relay.destinations.bus.broker import BrokerConfusedError
from relay.destinations.bus.confirms import Confirms


def sent(count: int) -> Confirms[str]:
    confirms: Confirms[str] = Confirms()
    for tag in range(1, count + 1):
        confirms.sent(tag, f"id-{tag}", f"item-{tag}")
    return confirms


def test_one_confirm_answers_one_message():
    """A confirm without `multiple` answers its own message, in any order."""
    confirms = sent(3)

    assert confirms.answered(2, multiple=False) == ["item-2"]
    assert len(confirms) == 2


def test_multiple_answers_everything_up_to_the_tag_in_order_of_sending():
    """`multiple` leaves out what was answered before and what came after."""
    confirms = sent(5)
    confirms.answered(2, multiple=False)

    assert confirms.answered(4, multiple=True) == ["item-1", "item-3", "item-4"]
    assert confirms.answered(5, multiple=False) == ["item-5"]
    assert len(confirms) == 0


def test_an_answer_twice_says_nothing_the_second_time():
    """A repeated confirm completes nothing twice."""
    confirms = sent(1)

    assert confirms.answered(1, multiple=False) == ["item-1"]
    assert confirms.answered(1, multiple=False) == []
    assert confirms.answered(1, multiple=True) == []


def test_a_return_comes_before_the_confirm_and_outranks_it():
    """The confirm which follows a return, alone or within a multiple one, does not count for the returned message."""
    confirms = sent(3)

    assert confirms.returned("id-2") == "item-2"
    assert confirms.answered(2, multiple=False) == []
    assert confirms.answered(3, multiple=True) == ["item-1", "item-3"]


@pytest.mark.parametrize("message_id", ["id-1", "id-9", ""])
def test_a_return_of_something_unknown_is_trouble(message_id):
    """A return comes before its ack: of what was answered, or never sent, the id is wrong, and an ack would follow."""
    confirms = sent(1)
    confirms.answered(1, multiple=False)

    with pytest.raises(BrokerConfusedError, match="not under way"):
        confirms.returned(message_id)


@pytest.mark.parametrize(
    ("tag", "multiple"), [(0, False), (-1, False), (3, False), (3, True), (2**64 - 1, False), (2**64 - 1, True)]
)
def test_the_broker_cannot_answer_what_was_never_sent(tag, multiple):
    """Nothing counts as answered by it, and the connection is of no more use."""
    confirms = sent(2)
    with pytest.raises(BrokerConfusedError, match=f"answered tag {tag}, and 2 were sent"):
        confirms.answered(tag, multiple=multiple)

    assert len(confirms) == 2


def test_tag_0_with_multiple_answers_all():
    """AMQP says so; when nothing is under way it says nothing."""
    confirms = sent(3)

    assert confirms.answered(0, multiple=True) == ["item-1", "item-2", "item-3"]
    assert confirms.answered(0, multiple=True) == []
    assert sent(0).answered(0, multiple=True) == []


def test_tags_grow_by_one():
    """A session that skips or repeats a tag would have confirms read for the wrong message."""
    with pytest.raises(AssertionError, match="gave tag 3 after 1"):
        sent(1).sent(3, "id-3", "item-3")


def test_an_event_is_under_way_once():
    """A return names the event, so two of the same could not be told apart."""
    with pytest.raises(AssertionError, match="under way twice"):
        sent(1).sent(2, "id-1", "again")


def test_what_is_under_way_is_known_by_its_id_and_in_order():
    """Until it is answered, or returned."""
    confirms = sent(3)
    assert confirms.unanswered() == ["item-1", "item-2", "item-3"]

    confirms.answered(2, multiple=False)

    assert [confirms.is_under_way(f"id-{tag}") for tag in (1, 2, 3, 4)] == [True, False, True, False]
    assert confirms.unanswered() == ["item-1", "item-3"]
