"""Projections: which parts of an item a read gives back."""

from collections.abc import Sequence
from dataclasses import dataclass

from eventstore.testing.dynamodb.expressions.operands import Path
from eventstore.testing.dynamodb.expressions.parser import Parser
from eventstore.testing.dynamodb.values import AttributeValue, Item, copy_value


@dataclass(frozen=True, slots=True)
class ItemProjection:
    """Some paths of an item."""

    paths: tuple[Path, ...]

    def of(self, item: Item) -> Item:
        """Return a copy of the parts that are there; list elements close up, in their order."""
        projected: Item = {}
        nested: dict[str, list[Sequence[str | int]]] = {}
        for path in self.paths:
            if len(path.parts) > 1:
                nested.setdefault(path.top, []).append(path.parts[1:])
            elif path.top in item:
                projected[path.top] = copy_value(item[path.top])
        for name, tails in nested.items():
            part = _pick(item[name], tails) if name in item else None
            if part is not None:
                projected[name] = part
        return projected


def _pick(value: AttributeValue, tails: list[Sequence[str | int]]) -> AttributeValue | None:
    if any(not tail for tail in tails):
        return copy_value(value)
    heads = {tail[0]: [other[1:] for other in tails if other[0] == tail[0]] for tail in tails}
    if "M" in value:
        members = {name: _pick(value["M"][name], rest) for name, rest in heads.items() if name in value["M"]}
        found = {name: member for name, member in members.items() if member is not None}
        return {"M": found} if found else None
    if "L" in value:
        places = sorted(place for place in heads if isinstance(place, int) and place < len(value["L"]))
        elements = [_pick(value["L"][place], heads[place]) for place in places]
        present = [element for element in elements if element is not None]
        return {"L": present} if present else None
    return None


class ProjectionParser(Parser):
    """Parses one projection, whole."""

    def parse(self) -> ItemProjection:
        """Return it."""
        paths = [self.path()]
        while self.tokens.take_sign(","):
            paths.append(self.path())
        self.tokens.expect_end()
        self.check_apart(paths)
        return ItemProjection(tuple(paths))
