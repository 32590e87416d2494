"""Feeds of one shard and of several, and where tests state what they have measured."""

from collections.abc import Iterator

import pytest

from tests.support.dev_server import dev_server
from tests.support.figures import PROPERTY, Figures
from tests.support.servers import Corner, make_corner

SHARDS = 4


@pytest.fixture
def corner_of_shards() -> Iterator[Corner]:
    """A corner whose feed has several shards: its tables are in the in-memory DynamoDB, the rest is real."""
    with dev_server("--shards", str(SHARDS)) as address:
        made = make_corner(EVENTSTORE_DYNAMODB_ENDPOINT_URL=address)
        yield made
        made.remove()


@pytest.fixture(params=["corner", "corner_of_shards"], ids=["one-shard", "four-shards"])
def any_corner(request: pytest.FixtureRequest) -> Corner:
    """A corner of either kind."""
    found: Corner = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """Where a test states what it has measured; it is printed at the end of the run."""
    stated = Figures(request.node.name)
    yield stated
    if stated.values:
        request.node.user_properties.append((PROPERTY, stated.line()))
        stated.report()
