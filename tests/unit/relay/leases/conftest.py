"""Workers without anything to carry, on one table and one clock."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from .worlds import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def log_events() -> Iterator[list[Any]]:
    """Collect what is logged."""
    with structlog.testing.capture_logs() as events:
        yield events
