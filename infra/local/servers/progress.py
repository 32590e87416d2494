"""Progress lines for people: what is being done, and how long it took."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Progress:
    """Writes one line per step, with the seconds since the command began.

    Attributes:
        stream: Where lines go; standard error, so that standard output stays for results.
        clock: Monotonic seconds.
    """

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    began: float = field(default_factory=time.monotonic)

    def say(self, subject: str, text: str) -> None:
        """Write one line about one subject (a server, or the tool that installs)."""
        self.stream.write(f"{self.clock() - self.began:6.1f} s  {subject:<13} {text}\n")
        self.stream.flush()
