"""When trouble with a destination is over, that is known at once: nobody needs to send anything to find out."""

from collections.abc import Sequence
from typing import Any

import pytest
from amqp.exceptions import NotAllowed, PreconditionFailed
from structlog.testing import capture_logs

from eventstore.backoff import Backoff
from relay.delivery.pumps import side_pump
from relay.delivery.pumps.breaker import Breaker
from relay.delivery.pumps.bus_pump import BusPump
from relay.delivery.pumps.side_pump import SidePump
from relay.destination import Trouble, TroubleKind
from relay.destinations.bus.amqp_errors import broker_error
from relay.destinations.bus.broker import BrokerLostError, TopologyError
from relay.destinations.index.bulk_item import ItemVerdict
from relay.destinations.index.client import IndexBusyError, IndexClientError, IndexLostError, IndexRefusedError
from tests.support.waiting import until

from .conftest import Bench


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and leave nothing alone for long."""
    monkeypatch.setattr(side_pump, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(side_pump, "IDLE_SECONDS", 0.02)


def pump_of(bench: Bench, name: str) -> Any:
    return next(pump for pump in bench.relay.pumps if pump.name == name)


def in_trouble(bench: Bench, error: IndexClientError) -> SidePump:
    """Let the index fail a delivery, and its breaker stay open for a minute."""
    pump: SidePump = pump_of(bench, "index")
    pump._breaker = Breaker(Backoff(base_seconds=60.0, cap_seconds=60.0))
    bench.index.fail(error)
    bench.append("a")
    bench.process(bench.outbox())
    until(lambda: pump.trouble is not None, "the index is in trouble")
    return pump


@pytest.mark.parametrize("error", [IndexLostError("down"), IndexRefusedError(401, "unknown user")], ids=str)
def test_an_index_that_is_back_is_well_though_nothing_is_for_it(bench: Bench, error: IndexClientError) -> None:
    """
    While it is away its breaker stays open; once it answers again, it is closed, before its time.
    """
    pump = in_trouble(bench, error)
    until(lambda: pump._is_away, "it was asked how it is, and is away")
    assert pump.is_breaker_open()

    bench.index.fail(None)

    until(lambda: pump.trouble is None, "it is known to be back", timeout_seconds=5.0)
    assert not pump.is_breaker_open()


def fail_bulk(bench: Bench, error: IndexClientError) -> None:
    """Let only deliveries fail."""

    def refuse(body: bytes, timeout_seconds: float) -> Sequence[ItemVerdict]:
        raise error

    bench.index.bulk = refuse  # type: ignore[method-assign]


def test_an_index_that_answers_questions_and_no_delivery_is_left_alone(bench: Bench) -> None:
    """
    It is overloaded: its breaker opens for as long as ever, though it can be asked how it is.
    """
    pump: SidePump = pump_of(bench, "index")
    pump._breaker = Breaker(Backoff(base_seconds=60.0, cap_seconds=60.0))
    asked, prepare = [], bench.index.prepare
    fail_bulk(bench, IndexLostError("no answer in time"))
    bench.append("a")
    bench.process(bench.outbox())
    bench.index.prepare = lambda seconds: (asked.append(seconds), prepare(seconds))[1]  # type: ignore[method-assign,func-returns-value]

    until(lambda: len(asked) >= 3, "it is asked")

    assert pump.trouble is not None
    assert pump.is_breaker_open()
    pump._breaker = pump._breaker.succeeded()
    until(lambda: pump.trouble is None, "nothing is known against it when its time is over")


def test_what_refuses_a_write_is_not_to_be_seen_by_reading(bench: Bench) -> None:
    """
    An index that is blocked for writing answers every question: it is well when a delivery says so.
    """
    pump: SidePump = pump_of(bench, "index")
    pump._breaker = Breaker(Backoff(base_seconds=0.01, cap_seconds=0.01))
    fail_bulk(bench, IndexBusyError("the index accepts no requests now: cluster_block_exception"))
    bench.append("a")
    bench.process(bench.outbox())
    until(lambda: pump.trouble is not None and not pump.is_breaker_open(), "its time is over")

    assert pump._destination.look(1.0) is None
    assert pump.trouble is not None


def test_a_bus_that_is_not_blocked_any_more_is_well_though_nothing_is_for_it(bench: Bench) -> None:
    """
    The broker says so itself.
    """
    pump: BusPump = pump_of(bench, "bus")
    until(lambda: bench.bus.is_open, "connected")
    bench.broker.block("low on disk")
    until(lambda: pump.trouble is not None, "it is blocked")

    bench.broker.unblock()

    until(lambda: pump.trouble is None, "it is known to be well", timeout_seconds=5.0)


@pytest.mark.parametrize("error", [BrokerLostError("down"), TopologyError("refused (403); check user and password")])
def test_a_bus_that_lets_us_in_again_is_well_though_nothing_is_for_it(
    bench: Bench, error: BrokerLostError | TopologyError
) -> None:
    """
    Also when it was a person who set it right.
    """
    pump: BusPump = pump_of(bench, "bus")
    until(lambda: bench.bus.is_open, "connected")
    bench.broker.refuse_connections(error)
    bench.broker.drop_connections()
    until(lambda: pump.trouble is not None and str(error) in pump.trouble.reason, "it lets nobody in")

    bench.broker.refuse_connections(None)

    until(lambda: pump.trouble is None, "it is known to be well", timeout_seconds=15.0)


def test_each_reason_is_said_once_until_all_is_well(bench: Bench) -> None:
    """
    Another reason of the same kind is news, other numbers in it are none; nor is one that comes and goes.
    """
    pump = bench.another_relay(started=False).pumps[0]
    refused = Trouble(TroubleKind.OUTAGE, "connection refused: 10.0.0.1:5672 after 5 s")
    full = Trouble(TroubleKind.OUTAGE, "blocked: low on memory")
    wrong = Trouble(TroubleKind.MISCONFIGURED, "check user and password")

    with capture_logs() as logs:
        for trouble in (
            refused,
            Trouble(TroubleKind.OUTAGE, "connection refused: 10.0.0.2:5672 after 7 s"),
            full,
            refused,
            full,
            wrong,
            full,
            None,
            None,
            full,
        ):
            pump._note(trouble)

    assert [(log["event"], log.get("reason", log.get("after")), log["log_level"]) for log in logs] == [
        ("destination.troubled", refused.reason, "warning"),
        ("destination.troubled", full.reason, "warning"),
        ("destination.troubled", wrong.reason, "error"),
        ("destination.troubled", full.reason, "warning"),
        ("destination.recovered", full.reason, "info"),
        ("destination.troubled", full.reason, "warning"),
    ]
    assert pump.trouble == full


def test_reasons_without_end_do_not_fill_the_log(bench: Bench) -> None:
    """
    Whatever a server writes into them.
    """
    pump = bench.another_relay(started=False).pumps[0]

    with capture_logs() as logs:
        for number in range(1_000):
            pump._note(Trouble(TroubleKind.OUTAGE, "reason " + "x" * number))

    assert len(logs) == 20


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            PreconditionFailed("cannot declare queue 'inventory.unrouted': queue limit in vhost '/' (3) is reached"),
            "delete queues that nobody uses, or raise the limit (max-queues",
        ),
        (
            PreconditionFailed("cannot declare queue 'q': queue limit in cluster (3) is reached"),
            "delete queues that nobody uses, or raise the limit (max-queues",
        ),
        (
            NotAllowed("access to vhost '/' refused for user 'guest': connection limit (1) is reached"),
            "close connections that nobody uses, or raise the limit (max-connections",
        ),
        (
            NotAllowed("connection refused for user 'guest': user connection limit (1) is reached"),
            "close connections that nobody uses, or raise the limit (max-connections",
        ),
        (
            NotAllowed("number of channels opened for user 'guest' has reached: channel limit (1) is reached"),
            "close channels that nobody uses",
        ),
        (PreconditionFailed("inequivalent arg 'x-queue-type' for queue 'q'"), "it exists with other properties"),
        (NotAllowed("vhost / not found"), "check the virtual host"),
    ],
)
def test_advice_is_about_what_the_broker_says(error: Exception, advice: str) -> None:
    """
    A limit that is reached has the reply code of a wrong property, or of a missing right.
    """
    told = broker_error(error, "connecting")

    assert isinstance(told, TopologyError)
    assert f"; {advice}" in str(told)
