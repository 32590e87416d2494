"""What destinations and the flow say to each other, and what things are called: values."""

import pytest

from relay.destination import BUS, FILE, INDEX, BusLostError, BusNews, Report, Trouble, TroubleKind
from relay.destinations.bus.topology import BusTopology, Exchange, Queue, wanted
from relay.destinations.resource_names import Names
from relay.destinations.topology import Difference, Examination

DOWN = Trouble(TroubleKind.OUTAGE, "the bus is out of reach")


def test_destinations_and_troubles_have_these_names() -> None:
    """
    Rows, logs and metrics hold them.
    """
    assert (BUS, INDEX, FILE) == ("bus", "index", "file")
    assert [str(kind) for kind in TroubleKind] == ["outage", "lost", "misconfigured"]


def test_a_report_and_news_of_nothing() -> None:
    """
    Nothing came of it, and nothing is wrong.
    """
    assert Report() == Report({}, None, {})
    assert Report().outcomes is not Report().outcomes
    assert BusNews() == BusNews((), (), (), None)


def test_a_lost_bus_says_what_is_wrong_with_it() -> None:
    """
    Nothing is where sending again at once is right.
    """
    assert (BusLostError(DOWN).trouble, str(BusLostError(DOWN))) == (DOWN, "the bus is out of reach")
    assert (BusLostError(None).trouble, str(BusLostError(None))) == (None, "the bus learned a limit")


def test_a_difference_has_a_remedy_or_needs_a_person() -> None:
    """
    A look that showed nothing odd has no notes.
    """
    assert Difference("exchange x", "is missing", "make it").remedy is None
    assert Examination(()).notes == ()


def test_names_on_the_servers_begin_with_the_prefix() -> None:
    """
    Consumers and operators know them.
    """
    names = Names("shop")

    assert (names.exchange, names.unrouted, names.dead_letters) == ("shop.events", "shop.unrouted", "shop.dead-letters")
    assert (names.alias, names.template, names.pattern) == ("shop-events", "shop-events", "shop-events-*")
    assert names.unborn == "shop-events-9999.99"
    assert Names().prefix == "inventory"
    assert names.is_index("shop-events-2025.01")
    assert not names.is_index("shop-events-more-events-2025.01")


@pytest.mark.parametrize(
    ("timestamp_ms", "index"),
    [
        (631_152_000_000, "shop-events-1990.01"),
        (631_151_999_999, "shop-events-beyond"),
        (1_738_367_999_999, "shop-events-2025.01"),
        (1_738_368_000_000, "shop-events-2025.02"),
        (4_102_444_799_999, "shop-events-2099.12"),
        (4_102_444_800_000, "shop-events-beyond"),
        (-1, "shop-events-beyond"),
    ],
)
def test_the_index_of_an_event_is_that_of_its_month(timestamp_ms: int, index: str) -> None:
    """
    From 1990 to 2099; all others share one.
    """
    assert Names("shop").index(timestamp_ms) == index


@pytest.mark.parametrize("prefix", ["", "Shop", "-shop", "_shop", "s" * 65, "sh op", "shop\n"])
def test_what_is_no_prefix(prefix: str) -> None:
    """
    It is told what may be one.
    """
    with pytest.raises(ValueError, match="use 1 to 64 lower-case letters"):
        Names(prefix)
    assert Names("s" * 64).prefix == "s" * 64


def test_what_the_bus_must_have() -> None:
    """
    The exchange of events comes last, and what no binding wants has a place by then.
    """
    made = wanted(Names("shop"), "quorum")

    assert made == BusTopology(
        exchanges=(
            Exchange("shop.unrouted", "fanout", None),
            Exchange("shop.dead-letters", "fanout", None),
            Exchange("shop.events", "topic", "shop.unrouted"),
        ),
        queues=(Queue("shop.unrouted", "quorum"), Queue("shop.dead-letters", "quorum")),
    )
    assert [exchange.arguments for exchange in made.exchanges] == [{}, {}, {"alternate-exchange": "shop.unrouted"}]
    assert [queue.arguments for queue in made.queues] == [{"x-queue-type": "quorum"}] * 2
