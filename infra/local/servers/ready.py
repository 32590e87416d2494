"""Readiness: ask a server for real work, and wait with a bound until it does it.

A probe returns None when the server works, else one line that says what is not right yet.
"""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from servers.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ATTEMPT_TIMEOUT_SECONDS = 3.0
POLL_SECONDS = 0.1
BODY_BYTES_MAX = 1 << 20


@dataclass(frozen=True)
class Waiting:
    """One server that is waited for.

    Attributes:
        probe: Asks it; must itself end within `ATTEMPT_TIMEOUT_SECONDS` or so.
        alive: Whether its processes still run; waiting for a dead one is pointless.
        timeout_seconds: The bound.
    """

    probe: Callable[[], str | None]
    alive: Callable[[], bool]
    timeout_seconds: float

    def verdict(self, waited_seconds: float) -> Verdict:
        """Ask once and say whether to wait on."""
        # Looked at first: a server that answers and ends in between is caught by the next look.
        running = self.alive()
        reason = self.probe()
        if reason is None:
            return Verdict(settled=True, unready="")
        if not running:
            return Verdict(settled=True, unready=f"its process ended ({reason})")
        if waited_seconds >= self.timeout_seconds:
            return Verdict(settled=True, unready=f"not ready after {self.timeout_seconds:.0f} s ({reason})")
        return Verdict(settled=False, unready=reason)


@dataclass(frozen=True)
class Verdict:
    """What one look at a server says.

    Attributes:
        settled: Whether waiting is over, one way or the other.
        unready: Why it is not ready; empty when it is.
    """

    settled: bool
    unready: str


def wait_ready(
    servers: Mapping[str, Waiting],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[str, str]]:
    """Wait for several servers at once.

    Args:
        servers: What to wait for, by name.
        clock: Monotonic seconds.
        sleep: Waits that many seconds.

    Yields:
        Each name as soon as it is settled, with the reason why it is not ready; empty when it is.
    """
    began = clock()
    pending = dict(servers)
    while pending:
        for name, waiting in list(pending.items()):
            verdict = waiting.verdict(clock() - began)
            if verdict.settled:
                del pending[name]
                yield name, verdict.unready
        if pending:
            sleep(POLL_SECONDS)


def dynamodb_unready(port: int, *, timeout_seconds: float = ATTEMPT_TIMEOUT_SECONDS) -> str | None:
    """Ask DynamoDB Local to list tables, in a database that nobody else uses."""
    credential = "Credential=readiness/20200101/eu-central-1/dynamodb/aws4_request"
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "DynamoDB_20120810.ListTables",
        "X-Amz-Date": "20200101T000000Z",
        # DynamoDB Local takes region and database from the signature, and never checks it.
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
    }
    answer = _ask("POST", port, "/", body="{}", headers=headers, timeout_seconds=timeout_seconds)
    if isinstance(answer, str):
        return answer
    return None if "TableNames" in answer else f"ListTables answered {answer}"


def elasticsearch_unready(port: int, *, timeout_seconds: float = ATTEMPT_TIMEOUT_SECONDS) -> str | None:
    """Ask Elasticsearch for its health: yellow is all that a single node with replicas can reach."""
    answer = _ask("GET", port, "/_cluster/health", body=None, headers={}, timeout_seconds=timeout_seconds)
    if isinstance(answer, str):
        return answer
    status = answer.get("status")
    return None if status in {"yellow", "green"} else f"cluster health is {status}"


def _ask(
    method: str, port: int, path: str, *, body: str | None, headers: dict[str, str], timeout_seconds: float
) -> dict[str, object] | str:
    """Return the JSON object of a 200 answer, else one line that says what came instead."""
    # http.client knows nothing of proxies in the environment, which have no business on loopback.
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=timeout_seconds)
    try:
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        payload = response.read(BODY_BYTES_MAX)
        if response.status != http.client.OK:
            return f"HTTP {response.status}"
        answer = json.loads(payload)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else f"answered {type(answer).__name__}"
