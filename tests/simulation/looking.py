"""Looks at what the product does: before one of its methods, or after it."""

from collections.abc import Callable
from functools import wraps
from typing import Any


def followed(method: Callable[..., Any], look: Callable[[Any, Any], None]) -> Callable[..., Any]:
    """Return a method after which somebody looks at its object and at what it returned."""

    @wraps(method)
    def with_look(self: Any, *arguments: Any, **named: Any) -> Any:
        done = method(self, *arguments, **named)
        look(self, done)
        return done

    return with_look


def preceded(method: Callable[..., Any], look: Callable[[Any, Any], None]) -> Callable[..., Any]:
    """Return a method before which somebody looks at its object and at its first argument."""

    @wraps(method)
    def with_look(self: Any, first: Any, *arguments: Any, **named: Any) -> Any:
        look(self, first)
        return method(self, first, *arguments, **named)

    return with_look
