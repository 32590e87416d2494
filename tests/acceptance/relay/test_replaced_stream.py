"""The outbox's stream is replaced: whatever is owed is delivered by itself, also what the new feed does not say."""

import contextlib
import time
from pathlib import Path

import pytest

from tests.support import retail_input, stream_switch
from tests.support.completeness import await_drained, check, outbox_left
from tests.support.figures import Figures
from tests.support.scale import SCALE
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import workers
from tests.support.writer import Writer

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timeout(600)]

PART = 40


def parts(count: int) -> list[retail_input.Commits]:
    """Return the first commits of the input, in so many parts."""
    planned = retail_input.commits(PART * count).commits
    return [planned[PART * number : PART * (number + 1)] for number in range(count)]


def test_replaced_while_no_relay_runs(any_corner: Corner, tmp_path: Path, figures: Figures) -> None:
    """
    Owed from the old stream, from the time without one and from the new one: the next start delivers it all, in order.
    """
    corner = any_corner
    before, owed_then, unseen, after = parts(4)
    with (
        contextlib.closing(Witness(corner)) as witness,
        workers(corner.environment, tmp_path, "before", "after") as (first, second),
    ):
        first.start()
        writer = Writer(corner, before).finish()
        until(lambda: outbox_left(corner) == 0, "the first part is delivered", timeout_seconds=SCALE.drain_seconds)
        assert first.stop() == 0
        old = stream_switch.label(corner)
        writer = Writer(corner, owed_then, after=writer).finish()
        stream_switch.switch_off(corner)
        writer = Writer(corner, unseen, after=writer).finish()
        new = stream_switch.switch_on(corner)
        writer = Writer(corner, after, after=writer).finish()
        assert new != old
        owed = outbox_left(corner)

        second.start("relay.started")
        began = time.monotonic()
        await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
        drained_seconds = time.monotonic() - began
        assert second.stop() == 0
        check(corner, witness, writer.written)

    assert owed == 3 * PART
    figures.state(owed=owed, delivered_after_s=drained_seconds, repeats=witness.repeats())


def test_replaced_while_the_relay_runs(any_corner: Corner, tmp_path: Path, figures: Figures) -> None:
    """
    It is followed without a restart: what came while there was none, and after it, arrives in order.
    """
    corner = any_corner
    before, unseen, after = parts(3)
    with (
        contextlib.closing(Witness(corner)) as witness,
        workers(corner.environment, tmp_path, "relay") as (relay,),
    ):
        relay.start()
        writer = Writer(corner, before).finish()
        until(lambda: len(witness.seen) >= PART, "the feed is read")
        opened = len(relay.named("shard.opened"))
        stream_switch.switch_off(corner)
        writer = Writer(corner, unseen, after=writer).finish()
        stream_switch.switch_on(corner)
        began = time.monotonic()
        until(lambda: len(relay.named("shard.opened")) > opened, "the new stream is read", timeout_seconds=30)
        followed_seconds = time.monotonic() - began
        writer = Writer(corner, after, after=writer).finish()
        await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
        drained_seconds = time.monotonic() - began
        assert relay.stop() == 0
        check(corner, witness, writer.written)

    figures.state(followed_after_s=followed_seconds, delivered_after_s=drained_seconds, repeats=witness.repeats())
