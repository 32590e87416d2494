"""Metadata of events: well-known names, and the caller's trace context."""

import re
import sys
from contextlib import suppress
from typing import Any

from eventstore.errors import InvalidInputError

TRACEPARENT = "traceparent"
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""Source: W3C, Trace Context, section 3.2."""


def metadata(
    *,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    user: str | None = None,
    traceparent: str | None = None,
    **free: Any,
) -> dict[str, Any]:
    """Return metadata for a `NewEvent`; what is None is left out.

    Args:
        correlation_id: What belongs together: the id of the request or process; passed on to the bus.
        causation_id: What caused this: the id of the command or event.
        user: Who did it.
        traceparent: W3C trace context; an append takes OpenTelemetry's current span when there is none.
        free: Any other keys, plain JSON.

    Raises:
        InvalidInputError: One of the named ones is empty or not text, or `traceparent` is not one.
    """
    named = {
        "correlation_id": correlation_id,
        "causation_id": causation_id,
        "user": user,
        TRACEPARENT: traceparent,
    }
    given = {name: value for name, value in named.items() if value is not None}
    for name, value in given.items():
        text: object = value
        if not isinstance(text, str) or not text:
            raise InvalidInputError(f"metadata.{name}", "is empty or not text; leave it out, or give text")
    if traceparent is not None and not _TRACEPARENT.fullmatch(traceparent):
        raise InvalidInputError(
            f"metadata.{TRACEPARENT}",
            f"is {traceparent!r}, not a W3C traceparent such as 00-<32 hex digits>-<16 hex digits>-01",
        )
    return {**given, **free}


def current_traceparent() -> str | None:
    """Return the W3C traceparent of OpenTelemetry's current span; None without OpenTelemetry or outside of a span.

    Nothing is imported: a program that has a span has imported `opentelemetry.trace` itself.
    """
    trace: Any = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    with suppress(Exception):  # a fault of the tracing must not refuse an append
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            text = f"00-{span.trace_id:032x}-{span.span_id:016x}-{int(span.trace_flags) & 0xFF:02x}"
            return text if _TRACEPARENT.fullmatch(text) else None
    return None
