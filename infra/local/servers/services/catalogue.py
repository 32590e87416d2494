"""The servers that this project needs, in the order in which they are started: the slowest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from servers.errors import UsageError
from servers.services.dynamodb import DynamoDB
from servers.services.elasticsearch import Elasticsearch
from servers.services.rabbitmq import RabbitMQ

if TYPE_CHECKING:
    from collections.abc import Sequence

    from servers.services.service import Service

SERVICES: tuple[Service, ...] = (Elasticsearch(), DynamoDB(), RabbitMQ())
NAMES = tuple(service.name for service in SERVICES)


def select(names: Sequence[str]) -> list[Service]:
    """Return the named servers in starting order; all of them for no name.

    Raises:
        UsageError: There is no server of that name.
    """
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        message = f"no such server: {', '.join(unknown)}; there are {', '.join(sorted(NAMES))}"
        raise UsageError(message)
    return [service for service in SERVICES if not names or service.name in names]
