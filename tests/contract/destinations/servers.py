"""Where the real servers are, for tests that need them: the environment, else `.local/env` of this clone."""

import os
from pathlib import Path

import pytest

ENV_FILE = Path(__file__).parents[3] / ".local" / "env"


def address(variable: str) -> str:
    """Return a server's address; without one the test is skipped on a laptop and fails in CI."""
    found = os.environ.get(variable) or _from_file().get(variable)
    if found:
        return found
    message = f"{variable} is not set and {ENV_FILE} does not name it: run `make up`"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _from_file() -> dict[str, str]:
    if not ENV_FILE.exists():
        return {}
    lines = (line.strip() for line in ENV_FILE.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
