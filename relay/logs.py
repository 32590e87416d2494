"""Logs: facts with stable names, on standard error, for people or for machines."""

import contextlib
import logging
import sys
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

from eventstore.cli.output.streams import printable
from eventstore.transport.addresses import masked

_WORDS_OF_OTHERS = ("error", "reason", "exception")
"""Keys whose values may repeat what a server or a client library said, stack traces among them."""


class BestEffort:
    """A stream that swallows what it cannot write: a full disk or a closed pipe must not end a relay."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write text if that is possible."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush if that is possible."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def write_out(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Escape control characters in values, so that stored text cannot control a terminal."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in event.items()}


def mask(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Take user and password out of the addresses that others' words may hold."""
    return {
        name: masked(value) if name in _WORDS_OF_OTHERS and isinstance(value, str) else value
        for name, value in event.items()
    }


def configure(log_format: str, log_level: str) -> None:
    """Set logging up for this process; called once, by a command."""
    level = logging.getLevelNamesMapping()[log_level.upper()]
    renderers: list[Processor] = [structlog.processors.JSONRenderer()]
    if log_format == "console":
        renderers = [write_out, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=22)]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.CallsiteParameterAdder({structlog.processors.CallsiteParameter.THREAD_NAME}),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            mask,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", BestEffort(sys.stderr))),
        cache_logger_on_first_use=False,
    )
