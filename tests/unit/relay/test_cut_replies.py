"""Replies that were cut short on their way: what they lack counts as not answered."""

from collections.abc import Callable, Mapping
from typing import Any

from eventstore import TableNames
from eventstore.backoff import Backoff
from relay.outbox.writer import OutboxWriter

from .conftest import Bench


def test_a_mark_whose_reply_is_cut_short_is_made_again(bench: Bench) -> None:
    """
    A reply without the row says nothing: the mark is repeated, and the row then says who has the commit.
    """
    bench.append("a")
    cut: list[str] = []

    def cut_once(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        reply = effect()
        if operation == "UpdateItem" and not cut:
            cut.append(operation)
            return {}
        return reply

    bench.way.trap = cut_once
    writer = OutboxWriter(bench.client, TableNames(), bench.runtime, Backoff(attempts_max=2, base_seconds=0.001))
    assert writer.add_delivered(("a", 1), {"bus"}) == {"bus"}
    assert cut == ["UpdateItem"]
    assert bench.row("a", 1).delivered == {"bus"}


def test_deletes_whose_reply_is_cut_short_are_made_again(bench: Bench) -> None:
    """
    A reply that does not say what is unprocessed may hide that nothing was: the rows are deleted again.
    """
    bench.append("a")
    cut: list[str] = []

    def cut_once(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "BatchWriteItem" and not cut:
            cut.append(operation)
            return {}
        return effect()

    bench.way.trap = cut_once
    OutboxWriter(bench.client, TableNames(), bench.runtime, Backoff(attempts_max=2, base_seconds=0.001)).delete(
        [("a", 1)]
    )
    assert cut == ["BatchWriteItem"]
    assert bench.outbox() == []
