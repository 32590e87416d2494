"""Whether messages reach consumers again after the exchange was gone: what was confirmed against what lies unrouted."""

import pytest
from structlog.testing import capture_logs

from eventstore.testing import ManualRuntime
from relay.destinations.bus.routing import Routing
from relay.destinations.resource_names import Names

UNROUTED = "inventory.unrouted"


class Sender:
    """What was sent, and a queue in which some of it lies."""

    def __init__(self) -> None:
        self.routing = Routing(Names(), ManualRuntime())
        self.depth = 0

    def send(self, count: int, *, unrouted: int | None = None, confirmed: int | None = None) -> None:
        for _ in range(count):
            self.routing.sent()
        self.depth += count if unrouted is None else unrouted
        self.routing.answered(confirmed=count if confirmed is None else confirmed)

    def count(self) -> None:
        self.routing.counted_by(lambda: {UNROUTED: self.depth})

    @property
    def unrouted(self) -> int | None:
        warning = self.routing.warning
        return None if warning is None else int(warning.partition("UTC, ")[2].split()[0].replace(",", ""))


@pytest.fixture
def sender() -> Sender:
    return Sender()


def test_nothing_is_amiss_before_the_exchange_was_gone(sender: Sender) -> None:
    """A queue that somebody forgot may have any number of messages; the gauge shows it."""
    sender.send(5)
    sender.count()
    sender.send(5)
    sender.count()

    assert sender.routing.warning is None


def test_it_is_told_from_the_return_to_the_first_that_is_routed() -> None:
    """With the count of what was unrouted since, in words that name exchange, queue, time and what to do."""
    with capture_logs() as log_events:
        tell_a_return_to_its_end(Sender())

    assert [(each["event"], each.get("events"), each["log_level"]) for each in log_events] == [
        ("bus.bindings_gone", None, "warning"),
        ("bus.unrouted", 1_200, "warning"),
        ("bus.unrouted", 1_202, "warning"),
        ("bus.routed_again", 1_202, "info"),
    ]


def tell_a_return_to_its_end(sender: Sender) -> None:
    sender.depth = 7
    sender.routing.came_back(7)
    assert sender.unrouted == 0
    sender.send(1_200)
    sender.count()
    assert sender.unrouted == 1_200
    sender.count()
    assert sender.routing.warning == (
        "exchange inventory.events was gone and is there again without the bindings of consumers: since 2025-01-01"
        " 00:00:00 UTC, 1,200 events were led to inventory.unrouted. Let consumers bind their queues again, and move"
        " there what it holds"
    )
    sender.send(3, unrouted=2)
    sender.count()
    assert sender.routing.warning is None


def test_what_is_under_way_proves_nothing(sender: Sender) -> None:
    """A message may lie in the queue before its confirm is heard, or be confirmed while the queue is counted."""
    sender.routing.came_back(0)
    sender.send(10, confirmed=0)
    sender.count()
    sender.routing.answered(confirmed=10)
    sender.count()
    assert sender.unrouted == 10
    sender.routing.counted_by(lambda: (sender.send(5, unrouted=5), {UNROUTED: sender.depth - 5})[1])
    assert sender.unrouted == 10
    sender.count()
    assert sender.unrouted == 15


def test_what_was_lost_or_refused_is_not_waited_for(sender: Sender) -> None:
    """It counts as unsent, so that the first that is routed after it shows."""
    sender.routing.came_back(0)
    sender.send(500, unrouted=0, confirmed=0)
    sender.count()
    sender.routing.answered(others=500)
    sender.count()
    sender.send(1, unrouted=0)
    sender.count()

    assert sender.routing.warning is None


def test_a_queue_that_is_emptied_proves_nothing(sender: Sender) -> None:
    """Whoever looks into it may take what is there before the bindings are back."""
    sender.routing.came_back(100)
    sender.send(10, unrouted=-90)
    sender.count()
    assert sender.unrouted == 0
    sender.send(10, unrouted=10)
    sender.count()
    assert sender.unrouted == 10


def test_a_depth_that_is_not_known_yet(sender: Sender) -> None:
    """A neighbour has made the exchange: the first count is only a beginning."""
    sender.routing.came_back(None)
    sender.send(10)
    sender.count()
    assert sender.unrouted == 0
    sender.send(10)
    sender.count()
    assert sender.unrouted == 10
    sender.routing.counted_by(dict)
    assert sender.unrouted == 10
