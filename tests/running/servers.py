"""The real servers, fetched and started while tests run that need none."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]

UP_SECONDS_MAX = 1_800.0
"""The first time on a machine it installs packages and fetches archives; later it takes some ten seconds."""

MERCY_SECONDS = 30.0


class Servers:
    """The command that `make up` runs, under way.

    Attributes:
        code: What it has ended with; None until somebody has waited for it.
    """

    def __init__(self, process: "subprocess.Popen[str]", said: Path) -> None:
        self._process = process
        self._said = said
        self.code: int | None = None

    def wait(self) -> bool:
        """Wait until all servers are up, and say what came of it; tell whether they are."""
        if self.code is None:
            try:
                self.code = self._process.wait(UP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.code = -1
            sys.stdout.write(self._said.read_text())
            sys.stdout.flush()
        return self.code == 0


@contextmanager
def starting() -> Iterator[Servers]:
    """Give the servers as they come up; a command that still runs at the end is told to stop."""
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        with said.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "infra" / "local"), "up"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield Servers(process, said)
        finally:
            process.terminate()  # nothing happens when it has ended
            try:
                process.wait(MERCY_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
