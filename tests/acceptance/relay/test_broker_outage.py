"""The broker is away for a while: what is owed waits, and is delivered without help when it is back."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import retail_input
from tests.support.completeness import await_drained, check, outbox_left
from tests.support.figures import Figures
from tests.support.private_servers import private_server
from tests.support.proxy import proxied, proxy_to
from tests.support.scale import SCALE
from tests.support.servers import Corner, make_corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import start_all, stop_all, workers
from tests.support.writer import Writer

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timeout(900)]

PER_SECOND = 20.0
BEFORE, AFTER = 40, 40
"""Commits before the outage and behind it."""

ATTEMPTS_PER_SECOND_MAX = 2.0
"""At the bus, of one worker: the first pauses are short, then they grow to 5 s."""


class Broker(NamedTuple):
    """A broker that can be taken away: for the workers alone by a proxy, or for everybody."""

    corner: Corner
    witness: Witness
    url: str
    stop: "contextlib.AbstractContextManager[None]"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of this size of test."""
    with contextlib.ExitStack() as stack:
        if SCALE.really:
            server, url = stack.enter_context(private_server("rabbitmq", tmp_path))
            corner = make_corner(RELAY_RABBITMQ_URL=url)
            away = (server.stop, server.start)
        else:
            corner = make_corner()
            proxy = stack.enter_context(proxy_to(corner.rabbitmq_url))
            url = proxied(corner.rabbitmq_url, proxy)
            away = (proxy.shut, proxy.open)

        @contextlib.contextmanager
        def stop() -> Iterator[None]:
            away[0]()
            try:
                yield
            finally:
                away[1]()

        stack.callback(corner.remove)
        witness = Witness(corner)
        stack.callback(witness.close)
        yield Broker(corner, witness, url, stop())


def test_a_broker_that_was_away_is_caught_up_with(broker: Broker, tmp_path: Path, figures: Figures) -> None:
    """
    While it is away nothing is lost, nobody hammers at it, and nobody dies; when it is back all is delivered in order.
    """
    corner, witness, seconds = broker.corner, broker.witness, SCALE.outage_seconds
    source, planned = retail_input.commits(int(PER_SECOND * seconds) + BEFORE + AFTER)
    environment = {**corner.environment, "RELAY_RABBITMQ_URL": broker.url}
    with workers(environment, tmp_path, "one", "two") as both:
        start_all(both)
        writer = Writer(corner, planned, per_second=PER_SECOND)
        until(lambda: len(witness.seen) >= BEFORE, "the bus has the first commits")
        with broker.stop:
            refused = sum(len(worker.named("bus.lost")) for worker in both)
            threading.Event().wait(seconds)  # an outage lasts; there is nothing to wait for
            attempts = sum(len(worker.named("bus.lost")) for worker in both) - refused
            owed = outbox_left(corner)
            came = len(witness.seen)
        back, behind = time.monotonic(), writer.events
        until(lambda: len(witness.seen) > came, "the bus is used again", timeout_seconds=SCALE.drain_seconds)
        first_seconds = time.monotonic() - back
        until(lambda: len(witness.first()) >= behind, "it has caught up", timeout_seconds=SCALE.drain_seconds)
        caught_up_seconds = time.monotonic() - back
        await_drained(corner, witness, writer, timeout_seconds=SCALE.drain_seconds)
        assert stop_all(both) == [0, 0]
        died = [worker.name for worker in both if worker.named("part.died")]

    check(corner, witness, writer.written)
    assert died == []
    assert owed >= PER_SECOND * seconds / 2
    assert 1 <= attempts <= ATTEMPTS_PER_SECOND_MAX * seconds * len(both)
    figures.state(
        input=source,
        commits=writer.commits,
        outage_s=seconds,
        really_stopped=SCALE.really,
        attempts_in_outage=attempts,
        owed_at_its_end=owed,
        first_message_s=first_seconds,
        caught_up_s=caught_up_seconds,
        repeats=witness.repeats(),
    )
