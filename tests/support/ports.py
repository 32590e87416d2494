"""Places on loopback where a server should be and is not."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """Give a port at which every connection is refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
