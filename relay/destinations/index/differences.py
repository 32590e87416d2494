"""Compares what an index has with what the template wants, from the replies alone."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from relay.destinations.resource_names import Names
from relay.destinations.topology import Difference

APPLY = "`relay topology apply` does it"
_BLOCK = re.compile(r"index\.blocks\.(read|write|metadata|read_only|read_only_allow_delete)")
_UNREADABLE = object()


@dataclass(frozen=True, slots=True)
class PutTemplate:
    """Remedy: write the index template."""


@dataclass(frozen=True, slots=True)
class PutMapping:
    """Remedy: add to the mapping of an index, or change what may be changed.

    Attributes:
        index: Its name.
        paths: Fields, with dots.
    """

    index: str
    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class AddAlias:
    """Remedy: put an index under the alias, without a filter.

    Attributes:
        index: Its name.
    """

    index: str


def of_template(
    wanted: Mapping[str, Any], found: Mapping[str, Any] | None, names: Names
) -> tuple[list[Difference], list[str]]:
    """Compare the stored template (None: there is none); return differences and notes."""
    thing = f"index template {names.template}"
    if found is None:
        return [Difference(thing, "is missing", APPLY, PutTemplate())], []
    version = found.get("version", 0)
    if version > wanted["version"]:
        note = f"{thing} has version {version}, this relay's is {wanted['version']}: a newer relay's, left as it is"
        return [], [note]
    if version < wanted["version"]:
        problem = f"has version {version}, wanted is {wanted['version']}"
        return [Difference(thing, problem, APPLY, PutTemplate())], []
    changed = sorted(_changed(wanted, found))
    if changed:
        return [Difference(thing, f"differs in {', '.join(changed)}", APPLY, PutTemplate())], []
    return [], []


def is_older_or_changed(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Tell whether our template is to be stored: a newer relay's is left as it is."""
    version = found.get("version") or 0
    return version < wanted["version"] or (version == wanted["version"] and bool(_changed(wanted, found)))


def of_next_month(wanted: Mapping[str, Any], effective: Mapping[str, Any], names: Names) -> list[Difference]:
    """Compare what a new month's index would be with what is wanted; another template of higher rank may win."""
    changed = _changed({"template": wanted["template"]}, {"template": effective.get("template", {})})
    if not changed:
        return []
    return [
        Difference(
            f"the next month's index of {names.pattern}",
            f"would differ in {', '.join(sorted(changed))}",
            f"another index template for these names has a higher priority than {names.template} ({wanted['priority']})"
            ", or the same: lower it, or narrow its patterns",
        )
    ]


def of_index(index: str, found: Mapping[str, Any], mappings: Mapping[str, Any], names: Names) -> Iterator[Difference]:
    """Yield what is wrong with an index that is there: of a month, or under the alias.

    Args:
        index: Its name.
        found: `aliases`, `mappings` and flat `settings` as Elasticsearch tells them.
        mappings: The mappings of the template.
        names: Names of the store.
    """
    thing = f"index {index}"
    if index == names.alias:
        yield Difference(
            thing,
            "stands where the alias must be",
            f"somebody wrote to {names.alias} directly: copy what is worth keeping, delete it, then apply",
        )
        return
    if not names.is_index(index):
        yield Difference(thing, f"is under the alias {names.alias} but is not a monthly index", "take it off the alias")
        return
    yield from _of_state(thing, found["settings"])
    yield from _of_alias(index, found["aliases"].get(names.alias), names)
    yield from _of_mappings(index, mappings, found["mappings"])


def _of_state(thing: str, settings: Mapping[str, str]) -> Iterator[Difference]:
    if settings.get("index.verified_before_close") == "true":
        yield Difference(thing, "is closed", f"open it: POST /{thing.removeprefix('index ')}/_open")
    for name, value in sorted(settings.items()):
        block = _BLOCK.fullmatch(name)
        if block is not None and value == "true":
            yield Difference(
                thing,
                f"has the block {block[1]}",
                "somebody set it, or its disk is full: make room, then set it to null; until then events wait",
            )


def _of_alias(index: str, found: Mapping[str, Any] | None, names: Names) -> Iterator[Difference]:
    thing = f"index {index}"
    if found is None:
        yield Difference(thing, f"is not under the alias {names.alias}: searches miss it", APPLY, AddAlias(index))
    elif found.keys() & {"filter", "index_routing", "search_routing"}:
        yield Difference(thing, f"is under the alias {names.alias} with a filter or routing", APPLY, AddAlias(index))


def _of_mappings(index: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[Difference]:
    thing = f"index {index}"
    if _plain(found.get("dynamic", True)) != _plain(wanted["dynamic"]):
        yield Difference(thing, "adds fields to its mapping by itself", APPLY, PutMapping(index, frozenset()))
    there = leaves(found.get("properties", {}))
    for path, field in leaves(wanted["properties"]).items():
        remedy = PutMapping(index, frozenset({path}))
        what = f"{thing}, field {path}"
        inner = next((other for other in there if other.startswith(f"{path}.")), None)
        outer = next((other for other in there if path.startswith(f"{other}.")), None)
        if path not in there and (inner is not None or outer is not None):
            yield Difference(what, f"is missing, and {inner or outer} is in its way", _reindex(index))
        elif path not in there:
            yield Difference(what, "is missing", f"{APPLY}; events that are there already keep what they have", remedy)
        elif there[path].get("type") != field["type"]:
            yield Difference(what, f"has type {there[path].get('type')}, wanted is {field['type']}", _reindex(index))
        else:
            changed = [name for name, value in field.items() if _plain(there[path].get(name)) != _plain(value)]
            if changed:
                yield Difference(what, f"differs in {', '.join(sorted(changed))}", APPLY, remedy)


def _reindex(index: str) -> str:
    return f"a field's type cannot be changed: rebuild {index} from its events with the current template"


def leaves(properties: Mapping[str, Any], path: str = "") -> dict[str, dict[str, Any]]:
    """Return path → field for every field of a mapping that is not an object; dots in names count as levels."""
    found: dict[str, dict[str, Any]] = {}
    for name, field in properties.items():
        if "properties" in field:
            found |= leaves(field["properties"], f"{path}{name}.")
        else:
            found[f"{path}{name}"] = field
    return found


def _changed(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> set[str]:
    """Return the names of what differs between two templates, as far as `wanted` speaks of it."""
    changed = {
        name
        for name in ("index_patterns", "priority")
        if name in wanted and _plain(wanted[name]) != _plain(found.get(name))
    }
    here, there = wanted["template"], found.get("template", {})
    settings, known = here["settings"]["index"], there.get("settings", {}).get("index", {})
    changed |= {f"settings.{name}" for name in settings if _plain(settings[name]) != _plain(known.get(name, 1))}
    changed |= {f"aliases.{name}" for name in here["aliases"] if there.get("aliases", {}).get(name) != {}}
    mappings = there.get("mappings", {})
    if _plain(mappings.get("dynamic", True)) != _plain(here["mappings"]["dynamic"]):
        changed.add("mappings.dynamic")
    fields = leaves(mappings.get("properties", {}))
    for path, field in leaves(here["mappings"]["properties"]).items():
        if any(_plain(fields.get(path, {}).get(name, _UNREADABLE)) != _plain(value) for name, value in field.items()):
            changed.add(f"mappings.{path}")
    return changed


def _plain(value: object) -> object:
    """Return a value as Elasticsearch tells it back: numbers and truth values may come as text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value
