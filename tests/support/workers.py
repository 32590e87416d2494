"""Several relay processes side by side on one corner."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.relay_process import RelayProcess
from tests.support.scale import SCALE
from tests.support.waiting import until

QUICK = {
    "lease_seconds": str(SCALE.lease_seconds),
    "discovery_seconds": "1",
    "sweep_min_age_seconds": "3",
    "sweep_interval_seconds": "1",
    "index_replicas": "0",
}
"""Settings of a worker that a test does not want to wait for."""


@contextmanager
def workers(environment: Mapping[str, str], folder: Path, *names: str, **settings: str) -> Iterator[list[RelayProcess]]:
    """Give workers of these names, not started; those that live in the end are killed."""
    made = [RelayProcess(environment, folder, name=name, **{**QUICK, **settings}) for name in names]
    try:
        yield made
    finally:
        for worker in made:
            worker.close()


def start_all(made: Sequence[RelayProcess]) -> None:
    """Start them side by side, and wait until each has joined and one of them carries a shard."""
    for worker in made:
        worker.begin()
    for worker in made:
        worker.await_logged("relay.started")
    until(lambda: any("shard.opened" in worker.events() for worker in made), "somebody carries a shard")


def stop_all(made: Sequence[RelayProcess]) -> list[int]:
    """Tell them to stop side by side, and return their exit codes."""
    for worker in made:
        worker.signal(signal.SIGTERM)
    return [worker.wait() for worker in made]
