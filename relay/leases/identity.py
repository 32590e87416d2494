"""Who a worker is: a name that no other start of a worker has, and where its process runs."""

import os
import re
import socket
from dataclasses import dataclass
from importlib.metadata import version

from eventstore.ports import Runtime

_HOST_MAX_CHARACTERS = 63
_RANDOM_BYTES = 4


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """One start of one worker.

    Attributes:
        worker_id: Its name; a worker that starts again has a new one, so nobody takes it for its former self.
        host: The machine it runs on.
        pid: Its process there.
        release: Of the package.
    """

    worker_id: str
    host: str
    pid: int
    release: str


def identify(runtime: Runtime) -> WorkerIdentity:
    """Return a new identity of this process."""
    host, pid = socket.gethostname()[:_HOST_MAX_CHARACTERS], os.getpid()
    name = re.sub(r"[^A-Za-z0-9.-]", "-", host) or "host"
    worker_id = f"{name}-{pid}-{runtime.random_bytes(_RANDOM_BYTES).hex()}"
    return WorkerIdentity(worker_id, host, pid, version("dynamo-eventstore"))
