"""What the bus makes of a broker that misbehaves."""

import pytest

from relay.destination import Confirmed, Park, Retry, TroubleKind
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
from relay.testing.commits import chain, commit
from tests.support.delivering import TestedPermit, deliver


def one(tag: int) -> Acked:
    return Acked(tag, multiple=False)


def up_to(tag: int) -> Acked:
    return Acked(tag, multiple=True)


def test_an_aggregate_has_one_unconfirmed_event(broker, make_bus):
    """The next event of a chain is sent only after the one before it was confirmed, within and across commits."""
    broker.script = [[one(1)], [one(2)], []]

    report = deliver(make_bus(), [chain("a", 2, 2)], 10)

    assert broker.published == ["a:1", "a:2", "a:3"]
    assert report.outcomes == {("a", 2): Confirmed(), ("a", 4): Retry("unconfirmed")}


def test_many_aggregates_share_the_window(broker, make_bus):
    """Aggregates beyond the window wait until there is room."""
    broker.script = [[one(2)], [up_to(3)]]

    report = deliver(make_bus(window=2), [chain("a", 1), chain("b", 1), chain("c", 1)], 10)

    assert broker.published == ["a:1", "b:1", "c:1"]
    assert broker.sessions[0].waits[:1] == [1.0]
    assert report.outcomes == {("a", 1): Confirmed(), ("b", 1): Confirmed(), ("c", 1): Confirmed()}
    assert report.trouble is None


def test_the_window_is_not_exceeded(broker, make_bus):
    """Before the first confirm no more than the window is sent."""
    broker.script = [BrokerLostError("gone")]

    deliver(make_bus(window=2), [chain("a", 1), chain("b", 1), chain("c", 1)], 10)

    assert broker.published == ["a:1", "b:1"]


def test_a_nack_holds_up_its_own_aggregate_only(broker, make_bus):
    """A refused commit and those above it are to be tried again; other aggregates go on, and it is no trouble."""
    broker.script = [[Nacked(1, multiple=False), one(2)], [one(3)]]

    report = deliver(make_bus(), [chain("a", 1, 1), chain("b", 1, 1)], 10)

    assert broker.published == ["a:1", "b:1", "b:2"]
    assert report.outcomes == {
        ("a", 1): Retry("nack"),
        ("a", 2): Retry("nack"),
        ("b", 1): Confirmed(),
        ("b", 2): Confirmed(),
    }
    assert report.trouble is None
    assert not broker.sessions[0].closed


def test_a_nack_of_several(broker, make_bus):
    """A multiple nack refuses everything up to its tag that was not answered before."""
    broker.script = [[one(2), Nacked(3, multiple=True)]]

    report = deliver(make_bus(), [chain("a", 1), chain("b", 1), chain("c", 1)], 10)

    assert report.outcomes == {("a", 1): Retry("nack"), ("b", 1): Confirmed(), ("c", 1): Retry("nack")}


def test_a_commit_is_taken_with_its_last_event(broker, make_bus):
    """A commit of which an event was refused is to be tried again whole."""
    broker.script = [[one(1)], [Nacked(2, multiple=False)]]
    bus = make_bus()

    assert deliver(bus, [chain("a", 3)], 10).outcomes == {("a", 3): Retry("nack")}

    broker.script = [[one(3)], [one(4)], [one(5)]]
    assert deliver(bus, [chain("a", 3)], 10).outcomes == {("a", 3): Confirmed()}
    assert broker.published == ["a:1", "a:2", "a:1", "a:2", "a:3"]


def test_a_returned_message_is_not_taken_although_it_is_confirmed(broker, make_bus):
    """After a return nothing more is sent, what is under way may still be confirmed, and an operator is asked."""
    broker.script = [[Returned("a:1", 312, "NO_ROUTE"), one(1)], [one(2)]]

    report = deliver(make_bus(), [chain("a", 1), chain("b", 1, 1)], 10)

    assert broker.published == ["a:1", "b:1"]
    assert report.outcomes == {("a", 1): Retry("returned"), ("b", 1): Confirmed(), ("b", 2): Retry("unconfirmed")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED
    assert "inventory.unrouted" in report.trouble.reason
    assert broker.sessions[0].closed, "a new connection declares the topology again"


def test_a_lost_connection_leaves_everything_unconfirmed(broker, make_bus):
    """What was confirmed before stays taken; the rest is to be tried again on a new connection."""
    broker.script = [[one(1)], BrokerLostError("reset by peer")]
    bus = make_bus()

    report = deliver(bus, [chain("a", 1), chain("b", 1)], 10)

    assert report.outcomes == {("a", 1): Confirmed(), ("b", 1): Retry("unconfirmed")}
    assert report.trouble is not None
    assert (report.trouble.kind, report.trouble.reason) == (TroubleKind.OUTAGE, "reset by peer")
    assert broker.sessions[0].closed

    broker.script = [[one(1)]]
    assert deliver(bus, [chain("b", 1)], 10).outcomes == {("b", 1): Confirmed()}
    assert len(broker.sessions) == 2


def test_a_connection_lost_in_a_publish(broker, make_bus):
    """Nobody knows whether that message was taken, so it was not."""
    broker.publish_errors = {"b:1": BrokerLostError("broken pipe")}

    report = deliver(make_bus(), [chain("a", 1), chain("b", 1), chain("c", 1)], 10)

    assert set(report.outcomes.values()) == {Retry("unconfirmed")}
    assert broker.published == ["a:1"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BrokerLostError("refused"), TroubleKind.OUTAGE),
        (TopologyError("wrong password"), TroubleKind.MISCONFIGURED),
    ],
)
def test_no_connection(broker, make_bus, error, kind):
    """Whether it heals by itself is told apart."""
    broker.connect_error = error

    report = deliver(make_bus(), [chain("a", 1, 1)], 10)

    assert report.outcomes == {("a", 1): Retry("unconfirmed"), ("a", 2): Retry("unconfirmed")}
    assert report.trouble is not None
    assert report.trouble.kind is kind


def test_silence_ends_with_the_budget(broker, make_bus, runtime):
    """A broker that takes messages and says nothing is an outage, and its connection is not used again."""
    report = deliver(make_bus(), [chain("a", 1)], 3.0)

    assert runtime.seconds == 1003.0
    assert report.outcomes == {("a", 1): Retry("unconfirmed")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE
    assert "1 messages stayed unconfirmed" in report.trouble.reason
    assert broker.sessions[0].closed
    assert max(broker.sessions[0].waits) <= 1.0, "the heartbeat needs a poll every second"


def test_a_late_confirm_is_not_taken_for_one_of_the_next_attempt(broker, make_bus):
    """After the budget the next attempt has a session of its own, with tags of its own."""
    bus = make_bus()
    deliver(bus, [chain("a", 1)], 2.0)

    report = deliver(bus, [chain("a", 1)], 2.0)

    assert len(broker.sessions) == 2
    assert report.outcomes == {("a", 1): Retry("unconfirmed")}


def test_more_work_than_time_is_no_trouble(broker, make_bus, runtime):
    """Near the budget's end nothing new is sent, so that what is under way is confirmed and the connection stays."""

    def slowly(_timeout):
        runtime.seconds += 0.5
        return [one(len(broker.published))]

    bus = make_bus(last_call=0.25)
    broker.script = []
    session = broker.connect()
    session.poll = slowly
    broker.connect = lambda: session

    report = deliver(bus, [chain("a", 1, 1, 1, 1)], 2.0)

    assert broker.published == ["a:1", "a:2", "a:3"]
    assert report.outcomes == {
        ("a", 1): Confirmed(),
        ("a", 2): Confirmed(),
        ("a", 3): Confirmed(),
        ("a", 4): Retry("timeout"),
    }
    assert report.trouble is None
    assert not session.closed


def test_a_blocked_broker_is_listened_to_and_not_written_to(broker, make_bus):
    """While it is blocked nothing is sent; once it is unblocked the delivery goes on."""
    broker.script = [[Blocked("low on memory"), one(1)], [], [Unblocked()], [one(2)]]

    report = deliver(make_bus(), [chain("a", 1, 1)], 10)

    assert broker.published == ["a:1", "a:2"]
    assert report.outcomes == {("a", 1): Confirmed(), ("a", 2): Confirmed()}
    assert report.trouble is None


def test_blocked_to_the_end(broker, make_bus):
    """A broker that stays blocked is an outage which names the reason; with nothing under way the connection stays."""
    broker.script = [[Blocked("low on disk"), one(1)]]
    bus = make_bus()

    report = deliver(bus, [chain("a", 1, 1)], 10)

    assert broker.published == ["a:1"]
    assert report.outcomes == {("a", 1): Confirmed(), ("a", 2): Retry("unconfirmed")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE
    assert "low on disk" in report.trouble.reason
    assert not broker.sessions[0].closed

    broker.script = [[Unblocked()], [one(2)]]
    assert deliver(bus, [chain("a", 1)], 10).outcomes == {("a", 1): Confirmed()}


def test_unblocked_while_idle(broker, make_bus):
    """What the broker says between deliveries is heard."""
    broker.script = [[Blocked("low on disk"), one(1)]]
    bus = make_bus()
    deliver(bus, [chain("a", 1, 1)], 10)

    broker.script = [[Unblocked()], [one(2)]]
    bus.idle()
    report = deliver(bus, [chain("a", 1)], 10)

    assert report.outcomes == {("a", 1): Confirmed()}


def test_idle_lets_a_broken_connection_go(broker, make_bus):
    """A connection found broken while idle is replaced by the next delivery, which does not notice."""
    broker.script = [[one(1)]]
    bus = make_bus()
    bus.idle()
    deliver(bus, [chain("a", 1)], 10)

    broker.script = [BrokerLostError("heartbeats missed")]
    bus.idle()
    assert broker.sessions[0].closed

    broker.script = [[one(1)]]
    assert deliver(bus, [chain("b", 1)], 10).trouble is None


def test_an_event_that_is_too_large_parks_its_commit_unsent(broker, make_bus):
    """Nothing of that commit is sent, and what is behind it in its aggregate waits."""
    large = commit("a", 2, 2, data_json='{"note":"ééééé"}')  # 16 characters before UTF-8, 21 bytes after
    broker.script = [[up_to(2)]]

    report = deliver(
        make_bus(message_max_bytes=20),
        [[commit("a", 1), large, commit("a", 4)], [commit("b", 1)]],
        10,
    )

    assert broker.published == ["a:1", "b:1"]
    assert report.outcomes[("a", 1)] == Confirmed()
    parked = report.outcomes[("a", 3)]
    assert isinstance(parked, Park)
    assert parked.error_class == "message_too_large"
    assert "event 2 (a:2) has 21 bytes of data and a message may have 20" in parked.reason
    assert report.outcomes[("a", 4)] == Retry("behind_parked")
    assert report.outcomes[("b", 1)] == Confirmed()
    assert report.trouble is None


@pytest.mark.parametrize(
    "fault",
    [
        {"aggregate_type": "t" * 200, "event_type": "e" * 55},
        {"timestamp_ms": 10**20},
        {"timestamp_ms": -1},
    ],
)
def test_an_event_of_which_no_message_can_be_made_is_parked(broker, make_bus, fault):
    """A row that no append of ours wrote cannot stop the relay."""
    broker.script = [[one(1)]]

    report = deliver(make_bus(), [[commit("a", **fault)], chain("b", 1)], 10)

    parked = report.outcomes[("a", 1)]
    assert isinstance(parked, Park)
    assert parked.error_class == "unsendable"
    assert report.outcomes[("b", 1)] == Confirmed()


def test_the_brokers_own_limit_is_learnt(broker, make_bus):
    """A broker with a lower limit than ours closes the channel; the next attempt parks what is above that limit."""
    bus = make_bus()
    large, small = commit("a", 1, data_json='{"note":"0123456789"}'), commit("b", 1, data_json="{}")
    broker.script = [MessageTooLargeError(20)]

    assert set(deliver(bus, [[large], [small]], 10).outcomes.values()) == {Retry("unconfirmed")}

    broker.script = [[one(1)]]
    report = deliver(bus, [[large], [small]], 10)
    assert isinstance(report.outcomes[("a", 1)], Park)
    assert report.outcomes[("b", 1)] == Confirmed()


def test_a_limit_that_explains_nothing_needs_a_person(broker, make_bus):
    """A broker that refuses what is within its own limit would be asked again and again otherwise."""
    broker.script = [MessageTooLargeError(1_000_000_000)]

    report = deliver(make_bus(), [chain("a", 1)], 10)

    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED


def test_nothing_to_deliver_opens_nothing(broker, make_bus):
    """An empty delivery has an empty report and no connection."""
    report = deliver(make_bus(), [], 10)

    assert (report.outcomes, report.trouble, broker.sessions) == ({}, None, [])


def test_close_and_again(broker, make_bus):
    """A closed bus connects again when it is used again; closing twice is harmless."""
    broker.script = [[one(1)], [one(1)]]
    bus = make_bus()
    deliver(bus, [chain("a", 1)], 10)
    bus.close()
    bus.close()

    assert deliver(bus, [chain("b", 1)], 10).outcomes == {("b", 1): Confirmed()}
    assert [session.closed for session in broker.sessions] == [True, False]


def test_one_chain_per_aggregate(make_bus):
    """Two chains of one aggregate could not be kept in order, so they are the caller's mistake."""
    with pytest.raises(AssertionError, match="two chains of one aggregate"):
        deliver(make_bus(), [[commit("a", 1)], [commit("a", 2)]], 10)


def test_a_lost_lease_ends_the_sending_and_not_the_listening(broker, make_bus):
    """What is under way is still confirmed; the next event of the chain is not sent, and the connection is kept."""
    permit = TestedPermit(lambda: 0.0 if broker.published else 5.0)
    broker.script = [[], [one(1)]]
    bus = make_bus()

    report = deliver(bus, [chain("a", 1, 1)], 10, permit)

    assert broker.published == ["a:1"]
    assert report.outcomes == {("a", 1): Confirmed(), ("a", 2): Retry("permit_expired")}
    assert report.trouble is None
    assert not broker.sessions[0].closed


def test_a_lease_lost_between_two_messages_keeps_the_second_back(broker, make_bus):
    """A process may be suspended anywhere: the leave is looked at before each message, not once for a window."""
    permit = TestedPermit(lambda: 0.0 if broker.published else 5.0)
    broker.script = [[one(1)]]

    report = deliver(make_bus(), [chain("a", 1), chain("b", 1), chain("c", 1)], 10, permit)

    assert broker.published == ["a:1"]
    assert report.outcomes == {
        ("a", 1): Confirmed(),
        ("b", 1): Retry("permit_expired"),
        ("c", 1): Retry("permit_expired"),
    }


def test_a_short_lease_is_enough_to_send(broker, make_bus):
    """The last call is a share of the budget; a lease that is renewed every second is shorter than that."""
    broker.script = [[one(1)]]

    report = deliver(make_bus(last_call=0.5), [chain("a", 1)], 10, TestedPermit(0.5))

    assert report.outcomes == {("a", 1): Confirmed()}
