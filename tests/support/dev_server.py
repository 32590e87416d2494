"""`eventstore dev-server` as a process: a DynamoDB whose feeds have several shards."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMAND = Path(sys.executable).parent / "eventstore"
END_SECONDS = 30.0


@contextmanager
def dev_server(*options: str) -> Iterator[str]:
    """Give the address of a server with these options, and end it."""
    process = subprocess.Popen(
        [str(COMMAND), "dev-server", "--port", "0", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), f"it said {address!r}"
            yield address
        finally:
            process.terminate()
            process.wait(END_SECONDS)
