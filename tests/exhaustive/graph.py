"""Ends of a graph of states: from which of them no end can be come to, and where one may go round for ever. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edge:
    """A step from a state to another.

    Attributes:
        target: The other, by its place.
        name: Of the step.
        is_fault: It may as well never be taken.
    """

    target: int
    name: str
    is_fault: bool = False


@dataclass(frozen=True, slots=True)
class Circle:
    """States between which one may go round for ever, and be fair to every step.

    Attributes:
        place: The first of them.
        names: Of the steps between them.
    """

    place: int
    names: tuple[str, ...]


def unable_to_finish(edges: Sequence[Sequence[Edge]], ends: Collection[int]) -> int | None:
    """Return the first state from which no end can be come to without a fault; None when there is none."""
    before: list[list[int]] = [[] for _ in edges]
    for place, leaving in enumerate(edges):
        for edge in leaving:
            if not edge.is_fault:
                before[edge.target].append(place)
    able, waiting = set(ends), list(ends)
    while waiting:
        for place in before[waiting.pop()]:
            if place not in able:
                able.add(place)
                waiting.append(place)
    return next((place for place in range(len(edges)) if place not in able), None)


def fair_circle(edges: Sequence[Sequence[Edge]], ends: Collection[int]) -> Circle | None:
    """Return a circle without an end and without faults in which no step is passed over for ever; None without one.

    A step is passed over when it can be taken in the circle again and again, and would always lead out of it.
    """
    ended = set(ends)
    waiting: list[set[int]] = [{place for place in range(len(edges)) if place not in ended}]
    found: list[Circle] = []
    while waiting:
        within = waiting.pop()
        for component in _components(edges, within):
            inside = {
                edge.name
                for place in component
                for edge in edges[place]
                if not edge.is_fault and edge.target in component
            }
            if not inside:
                continue
            leading_out = [
                place
                for place in component
                if any(not edge.is_fault and edge.name not in inside for edge in edges[place])
            ]
            if leading_out:
                waiting.append(component.difference(leading_out))
            else:
                found.append(Circle(min(component), tuple(sorted(inside))))
    return min(found, key=lambda circle: circle.place, default=None)


def _components(  # noqa: C901 - one loop, as it is known
    edges: Sequence[Sequence[Edge]], within: set[int]
) -> Iterable[set[int]]:
    """Yield the strongly connected components of some states (Tarjan's algorithm, without recursion)."""
    numbers: dict[int, int] = {}
    lowest: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    for root in sorted(within):
        if root in numbers:
            continue
        work = [(root, iter(edges[root]))]
        numbers[root] = lowest[root] = len(numbers)
        path.append(root)
        on_path.add(root)
        while work:
            place, leaving = work[-1]
            for edge in leaving:
                target = edge.target
                if edge.is_fault or target not in within:
                    continue
                if target not in numbers:
                    numbers[target] = lowest[target] = len(numbers)
                    path.append(target)
                    on_path.add(target)
                    work.append((target, iter(edges[target])))
                    break
                if target in on_path:
                    lowest[place] = min(lowest[place], numbers[target])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    lowest[above] = min(lowest[above], lowest[place])
                if lowest[place] == numbers[place]:
                    component = {place}
                    while (other := path.pop()) != place:
                        component.add(other)
                    on_path -= component
                    yield component
