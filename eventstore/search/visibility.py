"""Which indices hold a store's events, and whether a search sees what is in one of them. Pure."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from eventstore.search import fields

BEYOND = "beyond"
"""Last part of the name of the one index for events dated before the first month or after the last one."""


@cache
def _months(alias: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(alias)}-(?:[0-9]{{4}}\.[0-9]{{2}}|{BEYOND})")


def is_of_the_store(index: str, alias: str) -> bool:
    """Tell whether an index is one of a store's own; its pattern alone also meets those of a longer prefix."""
    return _months(alias).fullmatch(index) is not None


def hidden_because(state: Mapping[str, Any], alias: str) -> str | None:
    """Return why a search does not see the events of an index, as a predicate; None when it does.

    Args:
        state: Its `aliases` and `mappings`, as Elasticsearch tells them.
        alias: Where searches look.

    Raises:
        AttributeError: The state is of another shape.
    """
    under = state.get("aliases", {}).get(alias)
    if under is None:
        return f"is not under the alias {alias}"
    if under.keys() & {"filter", "routing", "index_routing", "search_routing"}:
        return f"is under the alias {alias} with a filter or routing"
    properties = state.get("mappings", {}).get("properties", {})
    wrong = [name for name, field in fields.FIELDS.items() if properties.get(name, {}).get("type") != field.kind.value]
    if wrong:
        return f"has another mapping than the template wants, in {', '.join(wrong)}"
    return None
