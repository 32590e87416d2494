"""The flow hears late: of rows that went meanwhile, and what it asked for those who have let go since."""

from relay.delivery.commit import NEVER

from .flow_world import FlowWorld


def test_a_second_late_look_at_a_settled_row_answers_no_question() -> None:
    """
    A row that may be gone is asked for, though another source saw it as well before it went, and memory forgot it.
    """
    world = FlowWorld(remembers=1)
    seen_at = world.now
    late, later = world.source(), world.source()
    row, other = world.append("a", 1) + world.append("b", 1)
    for each in (row, other):
        world.hand_in(late, [each])
        world.run()
    assert world.outbox == {}

    world.hand_in(late, [row], NEVER)
    world.hand_in(later, [row], seen_at)
    assert world.send() == []
    world.run()
    assert world.on_bus == [("a", 1), ("b", 1)]
    assert world.counts == {}


def test_what_a_refusal_put_in_question_is_asked_for_whoever_hands_it_in() -> None:
    """
    A look from before the refusal does not say that nobody else has had more luck since.
    """
    world = FlowWorld()
    seen_at = world.now
    (row,) = world.append("a", 1)
    world.hand_in(world.source(), [row], seen_at)
    world.runtime.advance(1.0)
    world.flow.refused(world.take_one(), "nack")
    world.hand_in(world.source(), [row], seen_at)
    del world.outbox[row.key]  # somebody else had more luck

    world.runtime.advance(2.0)
    assert world.take() == []
    world.run()
    assert world.counts == {}


def test_a_predecessor_is_not_brought_for_who_has_let_go() -> None:
    """
    What nobody claims any more stays in the outbox, though a question about it was under way.
    """
    world = FlowWorld()
    source = world.source()
    _first, second = world.append("a", 1, 1)
    world.hand_in(source, [second])
    world.runtime.advance(0.001)
    questions = world.flow.questions()
    world.flow.withdraw(source)

    keys = [key for _, keys in questions.asks for key in keys]
    world.flow.answered(questions.asks, {key: world.say(key) for key in keys}, world.now)
    assert world.counts == {}


def test_a_stretch_is_not_brought_for_who_has_let_go() -> None:
    """
    The same for all that is owed below a commit.
    """
    world = FlowWorld()
    source = world.source()
    rows = world.append("a", 1, 1, 1)
    world.hand_in(source, rows[2:])
    world.answer()
    (bring,) = world.flow.questions().brings
    world.flow.withdraw(source)

    world.bring(bring)
    assert world.counts == {}
