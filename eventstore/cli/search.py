"""`eventstore search`: events by type, time and content, counts and facets, from the search index."""

from typing import Any

import click
from rich.table import Column, Table
from rich.text import Text

from eventstore.cli.input import search_terms
from eventstore.cli.opened import open_store
from eventstore.cli.output import envelope
from eventstore.cli.output.event_list import EventList
from eventstore.cli.output.streams import printable
from eventstore.cli.output.timestamps import as_text
from eventstore.errors import EventStoreError
from eventstore.search import EventSearch, IndexLag, SearchQuery
from eventstore.search import settings as search_settings
from eventstore.search.event_search import FACETS_MAX, PAGE_SIZE_DEFAULT


@click.command()
@search_terms.options
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=100,
    show_default=True,
    help="Maximum number of events to show.",
)
@click.option("--count", is_flag=True, help="Show only the number of matching events.")
@click.option(
    "--facet",
    default=None,
    metavar="FIELD",
    help="Count the events for each value of a field: event_type, aggregate_type, day, data.<path> or metadata.<path>.",
)
@envelope.json_lines_option
def search(*, limit: int, count: bool, facet: str | None, as_lines: bool, **terms: Any) -> None:
    """Search the index that `relay run` fills, newest events first. All conditions must match.

    RELAY_ELASTICSEARCH_URL, RELAY_NAME_PREFIX and RELAY_INDEX_PROMOTED say where the index is and which fields
    are promoted. How fresh it is goes to standard error: what the outbox owed to the index before the search.

    --json prints one event per line; with --count and --facet one document, the freshness in it.

    Exit codes: 0 also when nothing is found, 1 a document cannot be read, 2 an invalid condition, settings,
    tables, or an index of another kind, 3 DynamoDB or the index is out of reach.
    """
    if count and facet is not None:
        raise click.UsageError("--count and --facet exclude each other: give one of them")
    try:
        query = search_terms.query_of(terms)
        found = _open()
        lag = found.index_lag()
        if count:
            _print_count(found.count(query), lag, as_json=as_lines)
        elif facet is not None:
            _print_facets(found, query, facet, min(limit, FACETS_MAX), lag, as_json=as_lines)
        else:
            _print_events(found, query, limit, lag, as_lines=as_lines)
    except EventStoreError as error:
        one_document = count or facet is not None
        envelope.fail(str(error), envelope.exit_code_of(error), as_json=as_lines and one_document)


def freshness(lag: IndexLag) -> str:
    """Return in words how fresh the index is."""
    more = "" if lag.complete else "at least "
    parts = []
    if lag.owed:
        parts.append(f"lacks {more}{lag.owed:,} commits, the oldest of them {lag.lag_seconds:,.0f} s old")
    else:
        parts.append("has everything that was committed" if lag.complete else "may lack commits")
    if lag.parked:
        parts.append(f"{more}{lag.parked:,} are parked, which a person must look at")
    if lag.unreadable:
        parts.append(f"{more}{lag.unreadable:,} rows of the outbox cannot be read")
    parts += [f"index {index} {why}, so that its events are missing here" for index, why in lag.unseen.items()]
    if lag.refresh_seconds is None:
        parts.append("it does not refresh by itself")
    newest = "no event" if lag.newest_indexed_ms is None else f"{as_text(lag.newest_indexed_ms)} (UTC)"
    return f"the index {'; '.join(parts)}; newest commit found: {newest}"


def _open() -> EventSearch:
    from eventstore.search.elasticsearch import ElasticsearchSearch  # noqa: PLC0415 - an eighth of every command's start

    settings = search_settings.load()
    access = settings.access.now()
    client = ElasticsearchSearch(access.urls, api_key=access.api_key)
    return open_store().search(client, settings.options)


def _print_events(found: EventSearch, query: SearchQuery, limit: int, lag: IndexLag, *, as_lines: bool) -> None:
    listed = EventList(as_lines=as_lines, with_aggregate=True)
    size = min(limit, PAGE_SIZE_DEFAULT)
    number = listed.print(found.events(query, limit=limit, page_size=size, on_corrupt=listed.on_corrupt))
    if not number and not as_lines:
        click.echo("no such events", err=True)
    click.echo(freshness(lag), err=True)
    listed.end()


def _print_count(number: int, lag: IndexLag, *, as_json: bool) -> None:
    if as_json:
        envelope.print_envelope({"count": number, "index_lag": _lag_as_dict(lag)})
        return
    click.echo(f"{number:,} events")
    click.echo(freshness(lag), err=True)


def _print_facets(
    found: EventSearch, query: SearchQuery, facet: str, size: int, lag: IndexLag, *, as_json: bool
) -> None:
    facets = found.facets(query, facet, size)
    if as_json:
        counts = [{"value": each.value, "count": each.count} for each in facets.counts]
        rest = {"others": facets.others, "error_bound": facets.error_bound}
        envelope.print_envelope({"facet": facet, "counts": counts, **rest, "index_lag": _lag_as_dict(lag)})
        return
    table = Table(Column(facet, overflow="fold"), Column("events", justify="right"))
    for each in facets.counts:
        table.add_row(Text(printable(each.value)), f"{each.count:,}")
    if facets.others:
        table.add_row("(others)", f"{facets.others:,}")
    envelope.console().print(table)
    if facets.error_bound:
        click.echo(f"counts may be too low by up to {facets.error_bound:,}", err=True)
    click.echo(freshness(lag), err=True)


def _lag_as_dict(lag: IndexLag) -> dict[str, Any]:
    return {
        "lag_seconds": lag.lag_seconds,
        "oldest_owed_ms": lag.oldest_owed_ms,
        "owed": lag.owed,
        "parked": lag.parked,
        "unreadable": lag.unreadable,
        "complete": lag.complete,
        "newest_indexed_ms": lag.newest_indexed_ms,
        "refresh_seconds": lag.refresh_seconds,
        "unseen": dict(lag.unseen),
    }
