"""Timestamps that look like seconds where milliseconds are meant."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from eventstore.errors import InvalidInputError
from eventstore.model import NewEvent
from eventstore.payload import moments

OLD_BEFORE_MS = 631_152_000_000
"""1990-01-01. A time of today in seconds, read as milliseconds, is in January 1970."""

old_times_option = click.option(
    "--old-times", is_flag=True, help="Take timestamps before 1990, which are refused as they look like seconds."
)


def check_times(events: Sequence[NewEvent], field: str = "events") -> None:
    """Refuse timestamps before 1990.

    Raises:
        InvalidInputError: It names the event.
    """
    for index, event in enumerate(events):
        at_ms = moments.to_ms_or_none(event.timestamp_ms, f"{field}[{index}].timestamp_ms")
        if at_ms is not None and 0 <= at_ms < OLD_BEFORE_MS:
            day = datetime.fromtimestamp(at_ms / 1000, UTC).date()
            raise InvalidInputError(
                f"{field}[{index}].timestamp_ms",
                f"is {at_ms}, which is {day} in milliseconds and looks like seconds: give milliseconds since 1970 UTC,"
                " or `--old-times` where it is meant",
            )
