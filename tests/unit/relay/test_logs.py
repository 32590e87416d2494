"""What the relay's log leaves out."""

import json
from typing import Any

import pytest
import structlog

from relay import logs


@pytest.fixture(autouse=True)
def as_before():
    yield
    structlog.reset_defaults()


def logged(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().err)
    return found


def test_no_password_of_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither in an error's words nor in a stack; what is ours is written as it is."""
    logs.configure("json", "info")
    try:
        int("amqp://a:b@h1/v,amqp://c:sesame@h2/v")
    except ValueError as error:
        structlog.get_logger().exception("bus.odd", error=str(error), aggregate_id="ftp://x@y")

    line = logged(capsys)
    assert line["error"] == "invalid literal for int() with base 10: 'amqp://***@h1/v,amqp://***@h2/v'"
    assert "amqp://***@h1/v,amqp://***@h2/v" in line["exception"].splitlines()[-1]
    assert line["aggregate_id"] == "ftp://x@y"
