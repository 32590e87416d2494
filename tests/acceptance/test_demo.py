"""The demo, as a person starts it, on both stacks."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.servers import addresses

KEYS = {
    "stack",
    "input",
    "commits",
    "events",
    "published",
    "distinct_published",
    "indexed",
    "duplicates",
    "missing",
    "order_breaks",
    "outbox_left",
    "seconds",
    "delay_ms",
}


def demo(*arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "relay", "demo", "--json", *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    envelope: dict[str, Any] = json.loads(done.stdout)
    assert list(envelope) == ["version", "status", "data", "diagnostics"]
    assert (envelope["version"], envelope["status"], envelope["diagnostics"]) == (1, "ok", [])
    assert set(envelope["data"]) == KEYS
    data: dict[str, Any] = envelope["data"]
    return data


def check(data: dict[str, Any], commits: int) -> None:
    assert data["commits"] == commits
    assert data["events"] == data["distinct_published"] == data["indexed"]
    assert (data["missing"], data["order_breaks"], data["outbox_left"]) == (0, 0, 0)
    assert data["published"] - data["duplicates"] == data["distinct_published"]
    assert 0 <= data["delay_ms"]["p50"] <= data["delay_ms"]["p99"]


def test_embedded() -> None:
    """
    Two thousand commits of the warehouse go through in this process, none missing, all in order.
    """
    check(demo(), commits=2000)


def test_the_same_seed_is_the_same_scenario() -> None:
    """
    Counts repeat for a seed and differ between seeds.
    """
    first, again, other = (demo("--limit", "300", "--seed", seed) for seed in ("7", "7", "8"))

    assert first["events"] == again["events"]
    assert first["events"] != other["events"]


@pytest.mark.servers
@pytest.mark.acceptance
def test_real() -> None:
    """
    The same on DynamoDB Local, RabbitMQ and Elasticsearch, with the relay as a process of its own.
    """
    data = demo("--stack", "real", "--limit", "300", environment=addresses())

    check(data, commits=300)
    assert data["stack"] == "real"
