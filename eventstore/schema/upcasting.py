"""The route from a stored type and version to the latest one. Pure: what is registered in, a route out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes of a payload of one schema version that of the next. It may change the dict it is given, and returns one."""

Kind = tuple[str, int]
"""An event's type and the version of its payload's schema."""


@dataclass(frozen=True, slots=True)
class Step:
    """One upcaster on a route.

    Attributes:
        source: Type and version it takes.
        target: Type and version it makes: the next version, of the same type unless the type was renamed.
        upcast: What it does to the payload.
    """

    source: Kind
    target: Kind
    upcast: Upcast


@dataclass(frozen=True, slots=True)
class Route:
    """A route to the latest version.

    Attributes:
        steps: The links, oldest first; none for what is the latest already.
        target: The latest type and version.
    """

    steps: tuple[Step, ...]
    target: Kind


@dataclass(frozen=True, slots=True)
class MissingUpcaster:
    """No upcaster leads on, before the latest version.

    Attributes:
        at: Where no link leads on.
        latest: The latest version of that type.
    """

    at: Kind
    latest: int


@dataclass(frozen=True, slots=True)
class UnknownType:
    """Nothing is registered for the type."""


@dataclass(frozen=True, slots=True)
class UnknownVersion:
    """The version is above the latest one that is registered: a newer program has written it.

    Attributes:
        at: Type and version.
        latest: The latest version of that type.
    """

    at: Kind
    latest: int


Way = Route | MissingUpcaster | UnknownType | UnknownVersion
"""A route, or why there is none."""


def find_way(kind: Kind, steps: Mapping[Kind, Step], latest: Mapping[str, int]) -> Way:
    """Return the route from a type and version to the latest one.

    Each link raises the version by one, so a way ends after at most as many links as there are.

    Args:
        kind: What is stored.
        steps: Links by the type and version they take.
        latest: For each known type its latest version.
    """
    walked: list[Step] = []
    at = kind
    while at in steps:
        walked.append(steps[at])
        at = walked[-1].target
    event_type, version = at
    known = latest.get(event_type)
    if known is None:
        return UnknownType()
    if version > known:
        return UnknownVersion(at, known)
    if version < known:
        return MissingUpcaster(at, known)
    return Route(tuple(walked), at)
