"""The options of `eventstore search` that select events, and the query they make."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from eventstore.cli.input.moment import FORMS, moment
from eventstore.search import SearchQuery

F = TypeVar("F", bound=Callable[..., Any])

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Range:
    """A range of a promoted field; None leaves an end open."""

    path: str
    at_least: int | float | str | None
    below: int | float | str | None


def pair(text: str) -> Pair:
    """Return a path and what it is compared with, which may contain further equals signs.

    Raises:
        click.BadParameter: It is not of that form.
    """
    path, sign, wanted = text.partition("=")
    if not path or not sign:
        raise click.BadParameter(f"{text!r} is not of the form path=value")
    return path, wanted


def span(text: str) -> Range:
    """Return a path and a range of numbers or times; an end that is left out is open.

    Raises:
        click.BadParameter: It is not of that form.
    """
    path, sign, ends = text.partition("=")
    low, dots, high = ends.partition("..")
    if not path or not sign or not dots or not (low or high):
        raise click.BadParameter(f"{text!r} is not of the form path=low..high, path=low.. or path=..high")
    return Range(path, _bound(low), _bound(high))


_OPTIONS = (
    click.option("--type", "types", multiple=True, help="Only events of this type; repeat it for several types."),
    click.option("--aggregate-type", "aggregate_types", multiple=True, help="Only events of aggregates of this type."),
    click.option("--aggregate", "aggregates", multiple=True, help="Only events of this aggregate."),
    click.option("--correlation-id", "correlation_ids", multiple=True, help="Only events with this correlation id."),
    click.option(
        "--from",
        "from_ms",
        type=moment,
        metavar="TIME",
        default=None,
        help=f"Only events at or after this time: {FORMS}.",
    ),
    click.option(
        "--until", "until_ms", type=moment, metavar="TIME", default=None, help="Only events before this time."
    ),
    click.option(
        "--data",
        "data",
        type=pair,
        metavar="PATH=VALUE",
        multiple=True,
        help="Only events with this value in the payload: price.currency=EUR. Numbers as written: 1 is not 1.0.",
    ),
    click.option(
        "--metadata",
        "metadata",
        type=pair,
        metavar="PATH=VALUE",
        multiple=True,
        help="Only events with this value in the metadata.",
    ),
    click.option(
        "--text",
        "texts",
        type=pair,
        metavar="PATH=VALUE",
        multiple=True,
        help="Only events with all of these words in a promoted text field.",
    ),
    click.option(
        "--range",
        "ranges",
        type=span,
        metavar="PATH=LOW..HIGH",
        multiple=True,
        help="Only events with a promoted number or date in a range, its end excluded: price.amount=10..20,"
        " due=2025-01-31..",
    ),
    click.option(
        "--unpromoted",
        "unpromoted",
        metavar="PATH",
        multiple=True,
        help="Only events with a value at a promoted path that does not fit its type, so that --range misses it.",
    ),
    click.option("--oldest-first", is_flag=True, help="Show the oldest events first instead of the newest."),
)


def options(command: F) -> F:
    """Decorate a command with the options of a query; it is called with them as keywords."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def query_of(terms: dict[str, Any]) -> SearchQuery:
    """Return the query that the options make; all of them must match.

    Raises:
        InvalidInputError: One of them cannot be meant; it names the field.
    """
    query = SearchQuery()
    for add, values in (
        (SearchQuery.event_type, terms["types"]),
        (SearchQuery.aggregate_type, terms["aggregate_types"]),
        (SearchQuery.aggregate_id, terms["aggregates"]),
        (SearchQuery.correlation_id, terms["correlation_ids"]),
        (SearchQuery.unpromoted, terms["unpromoted"]),
    ):
        if values:
            query = add(query, *values)
    if terms["from_ms"] is not None or terms["until_ms"] is not None:
        query = query.between(terms["from_ms"], terms["until_ms"])
    for path, value in terms["data"]:
        query = query.data(path, value)
    for path, value in terms["metadata"]:
        query = query.metadata(path, value)
    for path, words in terms["texts"]:
        query = query.promoted_text(path, words)
    for each in terms["ranges"]:
        query = query.promoted_range(each.path, each.at_least, each.below)
    return query.oldest_first() if terms["oldest_first"] else query


def _bound(text: str) -> int | float | str | None:
    """Return an end of a range: a number where it is one, else text, which a date may be."""
    if not text:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
