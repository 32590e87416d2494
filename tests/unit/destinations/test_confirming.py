"""How the broker in memory puts its confirms together, as RabbitMQ's channel does."""

import pytest

from relay.destinations.bus.broker import Acked, Nacked
from relay.testing.confirming import answers


@pytest.mark.parametrize(
    ("confirmed", "rejected", "unanswered", "said"),
    [
        ([], [], [], []),
        ([], [], [1, 2], []),
        # A single confirm is for itself, even where it could speak for all below it.
        ([3], [], [], [Acked(3, multiple=False)]),
        ([1, 2, 3], [], [], [Acked(3, multiple=True)]),
        # Nothing that is still open is confirmed by what lies above it.
        ([1, 2, 4, 5], [], [3], [Acked(2, multiple=True), Acked(4, multiple=False), Acked(5, multiple=False)]),
        ([2, 3], [], [1], [Acked(2, multiple=False), Acked(3, multiple=False)]),
        # A single nack does speak for all below it, which were answered before.
        ([], [3], [], [Nacked(3, multiple=True)]),
        ([], [3], [1], [Nacked(3, multiple=False)]),
        ([], [4, 3], [5], [Nacked(4, multiple=True)]),
        # Both at once: acks first, and neither answers for what the other one does.
        (
            [1, 2, 4, 6],
            [3, 5],
            [],
            [
                Acked(2, multiple=True),
                Acked(4, multiple=False),
                Acked(6, multiple=False),
                Nacked(3, multiple=False),
                Nacked(5, multiple=False),
            ],
        ),
        ([2, 3], [1], [], [Acked(2, multiple=False), Acked(3, multiple=False), Nacked(1, multiple=True)]),
    ],
)
def test_what_is_said_together(confirmed, rejected, unanswered, said):
    """Expected from `coalesce_and_send` of RabbitMQ's channel, by hand."""
    assert answers(confirmed, rejected, unanswered) == said
