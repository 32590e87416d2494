"""Calls to the index that retry within a bound, with outcomes as errors of the library."""

import logging
from collections.abc import Callable
from typing import TypeVar

from eventstore.backoff import Backoff, Deadline, attempts
from eventstore.errors import (
    AccessDeniedError,
    EventStoreError,
    SearchExpiredError,
    SearchRefusedError,
    SearchUnreachableError,
)
from eventstore.ports import Runtime
from eventstore.search.client import SearchCallError, SearchLostError, SearchStatusError
from eventstore.transport.time_limit import SECONDS_MIN

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_VIEW_GONE = "search_context_missing_exception"
_INDEX_MISSING = "index_not_found_exception"
_DENIED = frozenset({401, 403})


class IndexAbsentError(Exception):
    """Nothing was indexed yet, so there is neither index nor alias; callers answer with nothing."""


def ask(runtime: Runtime, backoff: Backoff, deadline: Deadline, operation: Callable[[float], T]) -> T:
    """Make a call that is safe to repeat until it is answered, and return its answer.

    Args:
        runtime: Waiting, and randomness for the delays.
        backoff: Bound of attempts, and their delays.
        deadline: When the time of all attempts together is over.
        operation: Makes one attempt, given the seconds that it may take.

    Raises:
        IndexAbsentError: There is no index yet.
        SearchUnreachableError: No usable answer at every attempt.
        SearchExpiredError: The view is gone.
        SearchRefusedError: Refused for a reason that time does not heal.
        AccessDeniedError: Credentials are missing, wrong, or not allowed to do this.
    """
    last: SearchCallError = SearchLostError("the time was over before it was asked")
    for attempt in attempts(runtime, backoff, deadline):
        if attempt > 1:
            _LOG.info("retry: attempt %d of %d at the search index, after: %s", attempt, backoff.attempts_max, last)
        try:
            return operation(max(deadline.left_seconds(), SECONDS_MIN))
        except SearchLostError as error:
            last = error
        except SearchStatusError as error:
            if error.kind == _INDEX_MISSING:
                raise IndexAbsentError from error
            raise public_error(error) from error
    raise SearchUnreachableError(
        f"the search index did not answer: {last}. Check its address, or run `make up`"
    ) from last


def public_error(error: SearchStatusError) -> EventStoreError:
    """Return the library's error for a refusal."""
    if error.kind == _VIEW_GONE:
        return SearchExpiredError()
    if error.status in _DENIED:
        return AccessDeniedError(f"the search index: {error}. Check the credentials and what they may do")
    return SearchRefusedError(error.status, f"{error.kind}: {error.reason}")
