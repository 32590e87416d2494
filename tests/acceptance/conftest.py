"""Real servers and real processes."""

from collections.abc import Iterator

import pytest

from tests.support.servers import Corner, make_corner


@pytest.fixture
def corner() -> Iterator[Corner]:
    """A corner of the real servers that nobody else uses."""
    made = make_corner()
    yield made
    made.remove()
