"""How much of the bus is used at once: window, size limit, and under which names."""

from dataclasses import dataclass, field

from relay.destinations.resource_names import Names

WINDOW_DEFAULT = 500
"""Unconfirmed messages at once: enough to hide a broker's fsync, little enough to repeat after a crash."""

MESSAGE_MAX_BYTES_DEFAULT = 16 * 1024 * 1024
"""The smallest default of `max_message_size` among brokers in use: 128 MiB in RabbitMQ 3.8 to 3.13, 16 MiB from 4.0."""


@dataclass(frozen=True, slots=True)
class BusSettings:
    """How the bus is used.

    Attributes:
        names: Exchange and queue names.
        source: CloudEvents `source` of every message: a URI reference that names this store; the prefix when left out.
        window: Messages that may be unconfirmed at once, over all aggregates.
        message_max_bytes: Largest body sent; a commit with a larger event is parked. Keep it at or below the broker's
            `max_message_size`.
    """

    names: Names = field(default_factory=Names)
    source: str = ""
    window: int = WINDOW_DEFAULT
    message_max_bytes: int = MESSAGE_MAX_BYTES_DEFAULT

    def __post_init__(self) -> None:
        faults = []
        if self.window < 1:
            faults.append(f"window is {self.window}; it is 1 or more")
        if self.message_max_bytes < 1:
            faults.append(f"message_max_bytes is {self.message_max_bytes}; it is 1 or more")
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def source_or_default(self) -> str:
        """The CloudEvents `source` in use."""
        return self.source or f"/{self.names.prefix}"
