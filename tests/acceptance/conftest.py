"""Real servers and real processes."""

from collections.abc import Iterator

import pytest

from tests.support.servers import Corner, make_corner
from tests.support.witness import Witness


@pytest.fixture
def corner() -> Iterator[Corner]:
    """A corner of the real servers that nobody else uses."""
    made = make_corner()
    yield made
    made.remove()


@pytest.fixture
def witness(corner: Corner) -> Iterator[Witness]:
    """A subscriber of everything on the bus, from before the test's first event on."""
    made = Witness(corner)
    yield made
    made.close()
