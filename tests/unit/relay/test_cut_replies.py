"""Replies that were cut short on their way: what they lack counts as not answered."""

from collections.abc import Callable, Mapping
from typing import Any

from eventstore import TableNames
from eventstore.backoff import Backoff
from relay.outbox.insisting import InsistingWriter
from relay.outbox.row import row_id
from relay.outbox.written import Done

from .conftest import Bench


def insisting(bench: Bench) -> InsistingWriter:
    return InsistingWriter(bench.client, TableNames(), bench.runtime, Backoff(attempts_max=2, base_seconds=0.001))


def test_a_mark_whose_reply_is_cut_short_is_made_again(bench: Bench) -> None:
    """
    A reply without the row says nothing: the mark is repeated, and the row then says who has the commit.
    """
    bench.append("a")
    rows = [row_id(row) for row in bench.outbox()]
    cut: list[str] = []

    def cut_once(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        reply = effect()
        if operation == "BatchExecuteStatement" and not cut:
            cut.append(operation)
            return {}
        return reply

    bench.way.trap = cut_once
    assert insisting(bench).note({rows[0]: {"bus"}}) == {rows[0]: Done(frozenset({"bus"}))}
    assert cut == ["BatchExecuteStatement"]
    assert bench.row("a", 1).delivered == {"bus"}


def test_deletes_whose_reply_is_cut_short_are_made_again(bench: Bench) -> None:
    """
    A reply without answers may hide that nothing was done: the rows are deleted again.
    """
    bench.append("a")
    rows = [row_id(row) for row in bench.outbox()]
    cut: list[str] = []

    def cut_once(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "BatchExecuteStatement" and not cut:
            cut.append(operation)
            return {}
        return effect()

    bench.way.trap = cut_once
    assert insisting(bench).delete(rows) == {rows[0]: Done(None)}
    assert cut == ["BatchExecuteStatement"]
    assert bench.outbox() == []
