"""Calls to the index that try again within a bound, and what they can end in as errors of the library."""

from collections.abc import Callable
from typing import TypeVar

from eventstore.errors import (
    AccessDeniedError,
    EventStoreError,
    SearchExpiredError,
    SearchRefusedError,
    SearchUnreachableError,
)
from eventstore.ports import Runtime
from eventstore.search.client import SearchCallError, SearchLostError, SearchStatusError
from eventstore.search.options import SearchOptions

T = TypeVar("T")

_VIEW_GONE = "search_context_missing_exception"
_INDEX_MISSING = "index_not_found_exception"
_DENIED = frozenset({401, 403})


class IndexAbsentError(Exception):
    """Nothing was indexed yet, so there is neither index nor alias; callers answer with nothing."""


def ask(runtime: Runtime, options: SearchOptions, operation: Callable[[], T]) -> T:
    """Make a call that is safe to repeat, again and again within the bound, and return its answer.

    Raises:
        IndexAbsentError: There is no index yet.
        SearchUnreachableError: No usable answer at every attempt.
        SearchExpiredError: The view is gone.
        SearchRefusedError: Refused for a reason that time does not heal.
        AccessDeniedError: Credentials are missing, wrong, or not allowed to do this.
    """
    backoff = options.backoff
    last: SearchCallError = SearchLostError("never asked")
    for attempt in range(1, backoff.attempts_max + 1):
        if attempt > 1:
            runtime.sleep(backoff.delay_seconds(attempt - 1, runtime.uniform()))
        try:
            return operation()
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
