"""What the bus makes of a broker that misbehaves."""

import pytest

from relay.destination import BUS, BusLostError, BusNews, Park, TroubleKind
from relay.destinations.bus.broker import (
    Acked,
    Blocked,
    BrokerLostError,
    MessageTooLargeError,
    Nacked,
    Returned,
    TopologyError,
    Unblocked,
)
from relay.destinations.bus.bus import Bus
from relay.testing.commits import commit


def one(tag: int) -> Acked:
    return Acked(tag, multiple=False)


def up_to(tag: int) -> Acked:
    return Acked(tag, multiple=True)


def send(bus: Bus, *aggregate_ids: str) -> None:
    """Send the first event of each, which its id stands for."""
    bus.open()
    for aggregate_id in aggregate_ids:
        assert bus.send(event(aggregate_id), aggregate_id)


def said(taken=(), refused=(), returned=(), trouble=None) -> BusNews:
    return BusNews(list(taken), list(refused), list(returned), trouble)


def event(aggregate_id: str, **attributes):
    (found,) = commit(aggregate_id, **attributes).events or ()
    return found


def test_what_was_sent_is_answered_by_its_token(broker, make_bus):
    """In any order, each once, in the order of sending where one confirm speaks for several."""
    bus = make_bus()
    send(bus, "a", "b", "c", "d")
    assert broker.published == ["a:1", "b:1", "c:1", "d:1"]

    broker.script = [[one(2)], [up_to(3), one(1)]]

    assert bus.listen(1) == said(taken=["b"])
    assert bus.listen(1) == said(taken=["a", "c"])
    assert bus.listen(1) == said()
    assert bus.drop() == ["d"]


def test_a_nack_is_told_apart(broker, make_bus):
    """A nack of several refuses everything up to its tag that was not answered before; it is no trouble."""
    bus = make_bus()
    send(bus, "a", "b", "c")
    broker.script = [[one(2), Nacked(3, multiple=True)]]

    assert bus.listen(1) == said(taken=["b"], refused=["a", "c"])
    assert bus.is_open


def test_the_window_is_what_the_settings_say(make_bus):
    """Whoever sends keeps it."""
    assert (make_bus(window=7).window, make_bus().name) == (7, BUS)


def test_a_listen_waits_as_long_as_told(broker, make_bus, runtime):
    """And the heartbeat is kept meanwhile, since that is what a poll does."""
    bus = make_bus()
    bus.open()

    assert bus.listen(0.75) == said()
    assert (broker.sessions[0].waits, runtime.seconds) == ([0.75], 1000.75)


def test_a_returned_message_is_not_taken_although_it_is_confirmed(broker, make_bus):
    """An operator is asked, once and again, until another connection has declared the topology anew."""
    bus = make_bus()
    send(bus, "a", "b")
    broker.script = [[Returned("a:1", 312, "NO_ROUTE"), one(1)], [one(2)], []]

    news = bus.listen(1)
    assert (news.taken, news.refused, news.returned) == ([], [], ["a"])
    assert news.trouble is not None
    assert news.trouble.kind is TroubleKind.MISCONFIGURED
    assert "inventory.unrouted" in news.trouble.reason
    later = bus.listen(1)
    assert (later.taken, later.trouble) == (["b"], news.trouble)

    bus.drop()
    bus.open()
    assert bus.listen(1) == said()


def test_a_return_of_what_was_answered_is_an_outage(broker, make_bus):
    """A return names the id alone: it may have meant another message, whose ack must then not be believed."""
    bus = make_bus()
    send(bus, "a", "b")
    broker.script = [[one(1)], [Returned("a:1", 312, "NO_ROUTE"), one(2)]]
    assert bus.listen(1).taken == ["a"]

    with pytest.raises(BusLostError, match="not under way") as lost:
        bus.listen(1)

    trouble = lost.value.trouble
    assert trouble is not None
    assert trouble.kind is TroubleKind.OUTAGE
    assert bus.drop() == ["b"]


def test_a_lost_connection_leaves_the_rest_unanswered(broker, make_bus):
    """What was confirmed before stays taken; what was not is handed back, oldest first."""
    bus = make_bus()
    send(bus, "a", "b", "c")
    broker.script = [[one(2)], BrokerLostError("reset by peer")]
    assert bus.listen(1).taken == ["b"]

    with pytest.raises(BusLostError) as lost:
        bus.listen(1)

    trouble = lost.value.trouble
    assert trouble is not None
    assert (trouble.kind, trouble.reason) == (TroubleKind.OUTAGE, "reset by peer")
    assert bus.drop() == ["a", "c"]
    assert broker.sessions[0].closed
    assert not bus.is_open


def test_a_late_confirm_is_not_taken_for_one_of_the_next_connection(broker, make_bus):
    """Each has a session of its own, with tags of its own."""
    bus = make_bus()
    send(bus, "a", "b")
    assert bus.drop() == ["a", "b"]

    send(bus, "b", "a")
    broker.script = [[one(1)]]

    assert len(broker.sessions) == 2
    assert bus.listen(1).taken == ["b"]


def test_a_connection_lost_in_a_publish(broker, make_bus):
    """Nobody knows whether that message was taken, so it was not sent; whoever sent it has it still."""
    bus = make_bus()
    broker.publish_errors = {"b:1": BrokerLostError("broken pipe")}
    send(bus, "a")

    with pytest.raises(BusLostError, match="broken pipe"):
        bus.send(event("b"), "b")

    assert bus.drop() == ["a"]
    assert broker.published == ["a:1"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BrokerLostError("refused"), TroubleKind.OUTAGE),
        (TopologyError("wrong password"), TroubleKind.MISCONFIGURED),
    ],
)
def test_no_connection(broker, make_bus, error, kind):
    """Whether it heals by itself is told apart, and the next attempt is one."""
    bus = make_bus()
    broker.connect_error = error

    with pytest.raises(BusLostError) as lost:
        bus.open()

    assert lost.value.trouble is not None
    assert (lost.value.trouble.kind, lost.value.trouble.reason) == (kind, str(error))
    assert not bus.is_open
    broker.connect_error = None
    bus.open()
    assert bus.is_open


def test_a_blocked_broker(broker, make_bus):
    """It is an outage which names the reason, for as long as it lasts; answers come all the same."""
    bus = make_bus()
    send(bus, "a", "b")
    broker.script = [[Blocked("low on disk"), one(1)], [one(2)], [Unblocked()]]

    news = bus.listen(1)
    assert news.taken == ["a"]
    assert news.trouble is not None
    assert news.trouble.kind is TroubleKind.OUTAGE
    assert "low on disk" in news.trouble.reason
    assert bus.listen(1) == said(taken=["b"], trouble=news.trouble)
    assert bus.listen(1) == said()


def test_an_event_is_unanswered_once(broker, make_bus):
    """A return names the id alone, so two of the same could not be told apart; answered, it may be sent again."""
    bus = make_bus()
    send(bus, "a")

    assert not bus.send(event("a"), "again")
    assert broker.published == ["a:1"]

    broker.script = [[one(1)]]
    assert bus.listen(1).taken == ["a"]
    assert bus.send(event("a"), "again")
    assert bus.drop() == ["again"]


def test_an_event_that_is_too_large_makes_its_commit_unsendable(make_bus):
    """Measured as it is sent; any event of the commit counts."""
    bus = make_bus(message_max_bytes=20)
    large = commit("a", 2, 2, data_json='{"note":"ééééé"}')  # 16 characters before UTF-8, 21 bytes after

    fault = bus.unsendable(large)

    assert isinstance(fault, Park)
    assert fault.error_class == "message_too_large"
    assert "event 2 (a:2) has 21 bytes of data and a message may have 20" in fault.reason
    assert bus.unsendable(commit("a", 2, 2, data_json='{"note":"éééé"}')) is None


@pytest.mark.parametrize(
    "fault",
    [
        {"aggregate_type": "t" * 200, "event_type": "e" * 55},
        {"timestamp_ms": 10**20},
        {"timestamp_ms": -1},
    ],
)
def test_an_event_of_which_no_message_can_be_made(make_bus, fault):
    """A row that no append of ours wrote cannot stop the relay."""
    found = make_bus().unsendable(commit("a", **fault))

    assert isinstance(found, Park)
    assert found.error_class == "unsendable"


@pytest.mark.parametrize("where", ["publish", "poll"])
def test_the_brokers_own_limit_is_learnt(broker, make_bus, where):
    """A broker with a lower limit than ours closes the channel: that is no trouble, and from then on it is known."""
    bus = make_bus()
    large = commit("a", data_json='{"note":"0123456789"}')
    assert bus.unsendable(large) is None
    bus.open()
    if where == "publish":
        broker.publish_errors = {"a:1": MessageTooLargeError(20)}
    else:
        broker.script = [MessageTooLargeError(20)]

    def use() -> None:
        bus.send(event("a"), "a")
        bus.listen(1)

    with pytest.raises(BusLostError) as lost:
        use()

    assert lost.value.trouble is None
    found = bus.unsendable(large)
    assert isinstance(found, Park)
    assert found.error_class == "message_too_large"
    assert bus.unsendable(commit("b", data_json="{}")) is None


def test_a_limit_that_explains_nothing_needs_a_person(broker, make_bus):
    """A broker that refuses what is within its own limit would be asked again and again otherwise."""
    bus = make_bus()
    send(bus, "a")
    broker.script = [MessageTooLargeError(1_000_000_000)]

    with pytest.raises(BusLostError) as lost:
        bus.listen(1)

    assert lost.value.trouble is not None
    assert lost.value.trouble.kind is TroubleKind.MISCONFIGURED


def test_a_call_reaches_the_session_that_is_there(broker, make_bus):
    """Whoever calls need not know whether there is one."""
    calls = []
    bus = make_bus()
    bus.wake()
    bus.open()
    broker.sessions[0].wake = lambda: calls.append("woken")

    bus.wake()
    bus.drop()
    bus.wake()

    assert calls == ["woken"]


def test_open_and_drop_again_and_again(broker, make_bus):
    """An open bus is not opened twice; a dropped one opens again; dropping twice is harmless."""
    bus = make_bus()
    assert bus.drop() == []
    bus.open()
    bus.open()
    assert len(broker.sessions) == 1
    bus.drop()
    assert bus.drop() == []
    bus.open()

    assert [session.closed for session in broker.sessions] == [True, False]
