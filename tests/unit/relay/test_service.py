"""Everything long-lived keeps one contract: started, stopped, waited for, and seen when it dies."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from relay.delivery.asker import Asker
from relay.delivery.pumps.bus_pump import BusPump
from relay.delivery.pumps.side_pump import SidePump
from relay.delivery.settler import Settler
from relay.feed.discovery import Discovery
from relay.feed.shard_consumer import ShardConsumer
from relay.leases.fleet import SWEEP_KEY
from relay.leases.keeper import Keeper
from relay.lifecycle import Service
from relay.metrics import SILENT
from relay.observing.http.server import HttpServer
from relay.observing.queue_depths import QueueDepths
from relay.sweep.sweep import SweepSettings
from relay.sweep.sweeper import Sweeper
from tests.support.waiting import until

from .conftest import Bench
from .leasing import ObedientKeeper
from .test_shard_consumer import Shard

BOUND_SECONDS = 10.0
AT_ONCE_SECONDS = 0.5


class DefectError(Exception):
    """What nobody expected."""


def fail(*_: object, **__: object) -> Any:
    raise DefectError("a defect")


def keeper(bench: Bench) -> Service:
    made: Service = bench.relay.daemon(bench.runtime.flag())._keeper
    return made


def discovery(bench: Bench) -> Service:
    made: Service = bench.relay.daemon(bench.runtime.flag())._discovery
    return made


def sweeper(bench: Bench) -> Service:
    with_the_lease: Any = ObedientKeeper(bench.runtime)
    with_the_lease.give(SWEEP_KEY)
    settings = SweepSettings(min_age_seconds=0.0, interval_seconds=0.1)
    return Sweeper(sweep=bench.relay.sweep(), keeper=with_the_lease, runtime=bench.runtime, settings=settings)


def bus_pump(bench: Bench) -> Service:
    return bench.another_relay(started=False).pumps[0]


def side_pump(bench: Bench) -> Service:
    return bench.another_relay(started=False).pumps[1]


def asker(bench: Bench) -> Service:
    return bench.another_relay(started=False).scribes(lambda: True)[0]


def settler(bench: Bench) -> Service:
    return bench.another_relay(started=False).scribes(lambda: True)[1]


def shard_consumer(bench: Bench) -> Service:
    return Shard(bench).consumer


def http_server(bench: Bench) -> Service:
    return HttpServer("127.0.0.1", 0, {}, bench.runtime)


def queue_depths(bench: Bench) -> Service:
    return QueueDepths(dict, bench.runtime, SILENT)


BREAKS: dict[Callable[[Bench], Service], tuple[type, str]] = {
    keeper: (Keeper, "step"),
    discovery: (Discovery, "_look"),
    sweeper: (Sweeper, "_note"),
    bus_pump: (BusPump, "_turn"),
    side_pump: (SidePump, "_turn"),
    asker: (Asker, "_run"),
    settler: (Settler, "_may_delete"),
    shard_consumer: (ShardConsumer, "_consume"),
    http_server: (HttpServer, "_serve"),
    queue_depths: (QueueDepths, "_ask"),
}
"""Each kind of service, and what of it has a defect when a test wants one."""

EVERY = pytest.mark.parametrize("make", list(BREAKS), ids=lambda make: make.__name__)


@pytest.fixture(autouse=True)
def _no_thread_is_left(bench: Bench) -> Iterator[None]:
    """A test that leaves a thread behind has failed."""
    before = set(threading.enumerate())
    yield
    until(lambda: set(threading.enumerate()) <= before, "every thread of the test has ended")


def concrete(kind: type) -> set[str]:
    """Return the names of all kinds of it that are not divided any further."""
    kinds = kind.__subclasses__()
    return {name for each in kinds for name in concrete(each)} or {kind.__name__}


def run_to_its_end(service: Service) -> None:
    """Stop a service, whatever state it is in, and see that it ends within a bound."""
    began_at = time.monotonic()
    service.stop()
    service.stop()
    assert time.monotonic() - began_at < AT_ONCE_SECONDS
    assert service.join(BOUND_SECONDS)
    assert not any(part.is_alive() for part in service.parts)


def test_every_kind_of_service_is_here() -> None:
    """
    Whoever adds one adds it to these tests.
    """
    assert concrete(Service) == {cls.__name__ for cls, _ in BREAKS.values()}


@EVERY
def test_it_runs_until_it_is_stopped(bench: Bench, make: Callable[[Bench], Service]) -> None:
    """
    It runs beside its starter; told to stop, also twice, it ends within a bound, and again does no harm after that.
    """
    service = make(bench)
    service.start()
    assert not service.join(0.3)
    assert service.parts
    assert service.dead_part is None

    run_to_its_end(service)
    run_to_its_end(service)
    assert service.dead_part is None


@EVERY
def test_stopped_right_after_its_start_it_ends(bench: Bench, make: Callable[[Bench], Service]) -> None:
    """
    Whatever its parts have come to by then.
    """
    service = make(bench)
    service.start()
    run_to_its_end(service)
    assert service.dead_part is None


@EVERY
def test_stopped_before_its_start_it_ends_at_once(bench: Bench, make: Callable[[Bench], Service]) -> None:
    """
    Never started, there is nothing to wait for; started all the same, it ends by itself.
    """
    service = make(bench)
    run_to_its_end(service)
    assert service.parts == ()

    service.start()
    assert service.join(BOUND_SECONDS)
    assert service.dead_part is None


@EVERY
def test_a_part_that_dies_is_seen(
    bench: Bench, make: Callable[[Bench], Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    By whoever looks, with its name and what ended it; what is left of the service can still be stopped.
    """
    _, what = BREAKS[make]
    service = make(bench)
    monkeypatch.setattr(service, what, fail)
    service.start()

    until(lambda: service.dead_part is not None, "the death is seen")
    dead = service.dead_part
    assert dead is not None
    assert dead in service.parts
    assert isinstance(dead.failure, DefectError)
    run_to_its_end(service)


@EVERY
def test_it_lives_once(bench: Bench, make: Callable[[Bench], Service]) -> None:
    """
    A second start would leave the parts of the first to nobody.
    """
    service = make(bench)
    service.start()
    with pytest.raises(AssertionError, match="lives once"):
        service.start()
    run_to_its_end(service)
