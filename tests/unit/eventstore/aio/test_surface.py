"""The surface for asyncio is that of the blocking one, and stays so."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from eventstore import EventStore, Projection, Repository
from eventstore.aio import (
    AsyncEventSearch,
    AsyncEventStore,
    AsyncProjection,
    AsyncRepository,
    AsyncStream,
)
from eventstore.search import EventSearch

PAIRS = [
    (EventStore, AsyncEventStore, {"aclose", "blocking", "threads"}),
    (EventSearch, AsyncEventSearch, set()),
    (Repository, AsyncRepository, set()),
    (Projection, AsyncProjection, set()),
]

OTHER_PARAMETERS = {
    ("AsyncEventStore", "from_environment"): (set(), {"threads"}),
    ("AsyncEventStore", "open"): (set(), {"threads"}),
    ("AsyncEventStore", "stream_events"): ({"stop"}, set()),  # a follower ends when it is closed
}
"""Parameters left out and added, by class and method."""

NOT_AWAITED = {
    "AsyncEventStore": {"context", "metrics", "search"},
    "AsyncRepository": {"stats"},
    "AsyncProjection": {"stats"},
}
"""What sends nothing."""


def public(cls: type) -> dict[str, Any]:
    """Return the public attributes of a class; `close` is `aclose` for asyncio, as its own classes have it."""
    return {name: value for name, value in vars(cls).items() if not name.startswith("_") and name != "close"}


def bare(method: Any) -> Callable[..., Any] | None:
    """Return the function of a method; None for a property."""
    function = getattr(method, "__func__", method)
    return function if inspect.isfunction(function) else None


@pytest.mark.parametrize(("blocking", "awaited", "more"), PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_names_are_the_same(blocking: type, awaited: type, more: set[str]) -> None:
    """
    Every public name of the blocking class is there, and no others but those that asyncio needs.
    """
    assert set(public(awaited)) == set(public(blocking)) | more


@pytest.mark.parametrize(("blocking", "awaited", "more"), PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_parameters_are_the_same(blocking: type, awaited: type, more: set[str]) -> None:
    """
    Names, kinds and defaults of parameters are those of the blocking method; `__init__` of states included.
    """
    names = set(public(blocking))
    names |= {"__init__"} if awaited in (AsyncRepository, AsyncProjection) else set()
    for name in names:
        theirs, ours = bare(vars(blocking)[name]), bare(vars(awaited)[name])
        assert (theirs is None) == (ours is None), name
        if theirs is None or ours is None:
            continue
        left_out, added = OTHER_PARAMETERS.get((awaited.__name__, name), (set(), set()))
        wanted = {key: each for key, each in inspect.signature(theirs).parameters.items() if key not in left_out}
        given = {key: each for key, each in inspect.signature(ours).parameters.items() if key not in added}
        assert list(given) == list(wanted), name
        for key, each in wanted.items():
            assert given[key].kind == each.kind, (name, key)
            if not callable(each.default):
                assert given[key].default == each.default, (name, key)


@pytest.mark.parametrize(("blocking", "awaited", "more"), PAIRS, ids=lambda value: getattr(value, "__name__", ""))
def test_what_asks_a_server_is_awaited(blocking: type, awaited: type, more: set[str]) -> None:
    """
    A method is a coroutine, or returns an `AsyncStream`, unless it sends nothing.
    """
    plain = set()
    for name in public(blocking):
        function = bare(vars(awaited)[name])
        returns = None if function is None else function.__annotations__["return"]
        is_stream = isinstance(returns, type) and issubclass(returns, AsyncStream)
        is_stream = is_stream or getattr(returns, "__origin__", None) is AsyncStream
        if function is None or not (inspect.iscoroutinefunction(function) or is_stream):
            plain.add(name)
    assert plain == NOT_AWAITED.get(awaited.__name__, set())


def test_every_method_explains_itself() -> None:
    """
    Each public name has a docstring.
    """
    found = [(cls, name) for _, cls, _ in PAIRS for name, value in public(cls).items() if not value.__doc__]
    assert found == []


def test_a_coroutine_is_a_coroutine() -> None:
    """
    The comparison above can tell them apart.
    """
    assert inspect.iscoroutinefunction(AsyncEventStore.append)
    assert not inspect.iscoroutinefunction(AsyncEventStore.read)
    assert asyncio.iscoroutinefunction(AsyncEventStore.open.__func__)  # type: ignore[attr-defined]
