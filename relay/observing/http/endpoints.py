"""The three paths that a relay process serves: `/livez`, `/readyz` and `/metrics`."""

from collections.abc import Callable, Sequence

from eventstore.ports import Runtime
from relay.observing.http import health
from relay.observing.http.answering import Answer, json_answer
from relay.observing.http.exposition import CONTENT_TYPE, Exposition
from relay.observing.http.health import Check
from relay.observing.http.server import HttpServer
from relay.observing.recording import RecordingMeter
from relay.progress import Progress


def open_server(
    host: str,
    port: int,
    *,
    meter: RecordingMeter,
    progress: Progress,
    checks: Callable[[], Sequence[Check]],
    runtime: Runtime,
) -> HttpServer:
    """Return a server that is bound to its address; `start` begins to serve.

    None of the three asks a server: they tell what the relay's parts know.

    Raises:
        HttpAddressError: The address cannot be used.
    """
    exposition = Exposition(meter)
    return HttpServer(
        host,
        port,
        {
            "/livez": lambda: json_answer(health.live(progress.ages_seconds(), progress.overdue())),
            "/readyz": lambda: json_answer(health.ready(checks())),
            "/metrics": lambda: Answer(health.OK, CONTENT_TYPE, exposition.page()),
        },
        runtime,
    )
