"""Terminals at which the commands are typed."""

from pathlib import Path

import pytest

from tests.acceptance.cli.commands import Terminal
from tests.support.servers import Corner


@pytest.fixture
def bare(tmp_path: Path) -> Terminal:
    """A terminal without any setting, in an empty folder."""
    return Terminal(tmp_path)


@pytest.fixture
def terminal(corner: Corner, bare: Terminal) -> Terminal:
    """A terminal whose settings name real servers, and a corner of them whose tables exist."""
    return bare.with_settings(**corner.environment, RELAY_INDEX_REPLICAS="0")


@pytest.fixture
def untouched(corner: Corner, terminal: Terminal) -> Terminal:
    """A terminal at a database without any table."""
    return terminal.with_settings(EVENTSTORE_AWS_ACCESS_KEY_ID=f"{corner.run}new")
