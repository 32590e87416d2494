"""One trial in a forked process: limited in time and memory, heard by nobody, and able to name the test that failed."""

import os
import resource
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

MEMORY_BYTES_MAX = 4 << 30


class Outcome(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    HUNG = "hung"
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of a trial.

    Attributes:
        outcome: Hung when it used up a limit.
        failed: The test that it named; empty when it named none.
        cpu_seconds: Processor time it took.
        seconds: Time it took.
    """

    outcome: Outcome
    failed: str
    cpu_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a trial may take at most.

    Attributes:
        cpu_seconds: Processor time.
        seconds: Time, also spent waiting.
    """

    cpu_seconds: int
    seconds: float


def attempt(action: Callable[[int], int], limits: Limits) -> Trial:
    """Run an action in a forked process.

    Args:
        action: Takes a file descriptor to name a failed test on; returns 0 when all tests passed.
        limits: Of this trial.
    """
    began = time.monotonic()
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _limit(limits.cpu_seconds)
            code = action(writable)
        finally:
            os._exit(code)
    os.close(writable)
    ready, _, _ = select.select([readable], [], [], limits.seconds)  # at its end, too
    failed = os.read(readable, 4096).decode() if ready else ""
    os.close(readable)
    if not ready:
        os.killpg(pid, signal.SIGKILL)
    _, status, usage = os.wait4(pid, 0)
    spent = usage.ru_utime + usage.ru_stime, time.monotonic() - began
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGKILL, signal.SIGXCPU}:
        return Trial(Outcome.HUNG, "", *spent)
    return Trial(Outcome.SURVIVED if status == 0 else Outcome.KILLED, failed, *spent)


def hush() -> None:
    """Let nothing that this process writes reach the terminal."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _limit(cpu_seconds: int) -> None:
    os.setsid()  # what it starts ends with it
    hush()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
