"""A checker finds nothing where there is nothing: any legal history is clean, whatever came again."""

import random
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from eventstore import NewEvent
from relay.testing import ReceivedMessage
from relay.testing.checker import Promise
from tests.unit.checker.story import MONTHS, TIMES, Story, add_commit

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
events = st.builds(
    NewEvent,
    type=st.sampled_from(["Placed", "Paid"]),
    data=st.dictionaries(st.text(max_size=3), plain, max_size=2),
    metadata=st.fixed_dictionaries({}, optional={"correlation_id": st.sampled_from(["a", "é"]), "user": plain}),
    schema_version=st.integers(1, 3),
    timestamp_ms=st.sampled_from(sorted(TIMES)),
)
commits = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.lists(events, min_size=1, max_size=3)), min_size=1, max_size=8
)


seeds = st.integers(0, 2**32)


def story_of(commits: list[tuple[str, list[NewEvent]]], dice: random.Random) -> Story:
    """Return a store with these commits; its epoch is raised now and then."""
    story, versions, epoch = Story(), defaultdict(int), 1
    for place, (name, events) in enumerate(commits):
        epoch += dice.random() < 0.2
        aggregate, first = (f"Type-{name}", name), versions[name] + 1
        add_commit(story, aggregate, f"commit-{place}", events, first=first, epoch=epoch, times=TIMES, months=MONTHS)
        versions[name] += len(events)
    return story


def delivered(messages: list[ReceivedMessage], dice: random.Random) -> list[ReceivedMessage]:
    """Return messages in an order that is allowed: per aggregate as they were, and some again after the first time."""
    lines: defaultdict[object, list[ReceivedMessage]] = defaultdict(list)
    for message in messages:
        lines[message.headers["cloudEvents_subject"]].append(message)
    came: list[ReceivedMessage] = []
    while any(lines.values()):
        came.append(dice.choice([line for line in lines.values() if line]).pop(0))
        while dice.random() < 0.3:
            came.append(dice.choice(came))
    return came


@given(commits, seeds, st.booleans())
def test_a_legal_history_is_clean(
    commits: list[tuple[str, list[NewEvent]]],
    seed: int,
    rows_first: bool,  # noqa: FBT001 - drawn
) -> None:
    """
    Repeats at any time, aggregates mixed, rows and documents in any order.
    """
    dice = random.Random(seed)
    story = story_of(commits, dice)
    once = len(story.messages)
    story.messages = delivered(story.messages, dice)
    for seen in (story.rows, story.documents, story.written):
        dice.shuffle(seen)  # type: ignore[arg-type]
    verdict = story.judge(rows_first=rows_first)

    assert verdict.is_clean, str(verdict)
    assert (verdict.events, verdict.distinct, verdict.documents) == (once, once, once)
    assert (verdict.commits, verdict.repeats) == (len(commits), len(story.messages) - once)


@given(commits, seeds)
def test_a_turned_pair_is_found(commits: list[tuple[str, list[NewEvent]]], seed: int) -> None:
    """
    Any two first deliveries of one aggregate that come the other way round.
    """
    dice, last = random.Random(seed), NewEvent("Paid", {}, {}, 1, min(TIMES))
    story = story_of([*(("a", events) for _, events in commits), ("a", [last])], dice)
    one = dice.randrange(len(story.messages) - 1)
    messages = story.messages
    messages[one], messages[one + 1] = messages[one + 1], messages[one]

    assert set(story.judge().counts) == {Promise.IN_ORDER}
