"""What the bus is called and how much of it is used at once: exchange and queue names, window, size limit."""

import re
from dataclasses import dataclass, field

WINDOW_DEFAULT = 500
"""Unconfirmed messages at once: enough to hide a broker's fsync, little enough to repeat after a crash."""

MESSAGE_MAX_BYTES_DEFAULT = 16 * 1024 * 1024
"""The smallest default of `max_message_size` among brokers in use: 128 MiB in RabbitMQ 3.8 to 3.13, 16 MiB from 4.0."""

_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class BusNames:
    """Names of exchanges and queues, all under one prefix, so that several stores can share a broker.

    Attributes:
        prefix: Lower-case letters, digits, `_` and `-`; the store's name.
    """

    prefix: str = "inventory"

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"prefix {self.prefix!r}: use 1 to 64 lower-case letters, digits, '_' and '-'")

    @property
    def exchange(self) -> str:
        """Topic exchange to which every event goes."""
        return f"{self.prefix}.events"

    @property
    def unrouted(self) -> str:
        """Alternate exchange and its queue: what no binding wanted."""
        return f"{self.prefix}.unrouted"

    @property
    def dead_letters(self) -> str:
        """Exchange and queue for what consumers reject."""
        return f"{self.prefix}.dead-letters"


@dataclass(frozen=True, slots=True)
class BusSettings:
    """How the bus is used.

    Attributes:
        names: Exchange and queue names.
        source: CloudEvents `source` of every message: a URI reference that names this store; the prefix when left out.
        window: Messages that may be unconfirmed at once, over all aggregates.
        message_max_bytes: Largest body sent; a commit with a larger event is parked. Keep it at or below the broker's
            `max_message_size`.
        last_call: Share of a delivery's budget, at its end, in which nothing new is sent, so that what is under way is
            confirmed rather than repeated. 0 to 0.5.
    """

    names: BusNames = field(default_factory=BusNames)
    source: str = ""
    window: int = WINDOW_DEFAULT
    message_max_bytes: int = MESSAGE_MAX_BYTES_DEFAULT
    last_call: float = 0.1

    def __post_init__(self) -> None:
        faults = []
        if self.window < 1:
            faults.append(f"window is {self.window}; it is 1 or more")
        if self.message_max_bytes < 1:
            faults.append(f"message_max_bytes is {self.message_max_bytes}; it is 1 or more")
        if not 0 <= self.last_call <= 0.5:  # noqa: PLR2004 - as documented
            faults.append(f"last_call is {self.last_call}; it is 0 to 0.5")
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def source_or_default(self) -> str:
        """The CloudEvents `source` in use."""
        return self.source or f"/{self.names.prefix}"
