"""What one server is doing, for people and for programs."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class ServiceStatus:
    """One server.

    Attributes:
        name: Its name on the command line.
        version: The pinned version.
        up: Whether it runs and does real work.
        reason: Why it is not up; empty when it is.
        address: Where clients reach it; empty when it was never started.
        pids: Its first processes that run now; none in a container.
        log_file: Where its output goes; empty when it does not run here.
    """

    name: str
    version: str
    up: bool
    reason: str
    address: str = ""
    pids: list[int] = field(default_factory=list)
    log_file: str = ""


def as_json(statuses: Sequence[ServiceStatus]) -> str:
    """Return one JSON document: whether all are up, and each server."""
    content = {"up": all(status.up for status in statuses), "servers": [dataclasses.asdict(each) for each in statuses]}
    return json.dumps(content, indent=2) + "\n"


def as_text(statuses: Sequence[ServiceStatus]) -> str:
    """Return one line per server."""
    return "".join(
        f"{status.name:<14}{'up' if status.up else 'down':<6}{status.version:<8}"
        f"{status.address if status.up else status.reason}\n"
        for status in statuses
    )
