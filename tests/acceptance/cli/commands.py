"""The commands `eventstore` and `relay` as processes: started, fed, signalled, waited for."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.support.waiting import until

END_SECONDS = 120.0
"""Far above what any command here takes: a machine may be busy, and a time-out must mean that it hangs."""

SAY_SECONDS = 60.0
MERCY_SECONDS = 30.0
FOLDER = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left behind."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        """Standard output, which is UTF-8."""
        return self.raw.decode()

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def lines(self) -> list[Any]:
        """The JSON lines on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """The one line on standard error, which is an error."""
        (line,) = self.err.splitlines()
        assert line.startswith("error: "), line
        return line.removeprefix("error: ")


class Command:
    """A command that runs. Its output is read all the time, so it never waits for a reader."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, stdin: bytes) -> None:
        self._process = subprocess.Popen(
            list(arguments),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self._said: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
        pipes = (("out", self._process.stdout), ("err", self._process.stderr))
        self._threads = [threading.Thread(target=self._read, args=each, daemon=True) for each in pipes]
        self._threads.append(threading.Thread(target=self._feed, args=(self._process.stdin, stdin), daemon=True))
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()  # which lets it end what it has started
        try:
            self._process.wait(MERCY_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(END_SECONDS)
        for thread in self._threads:
            thread.join(END_SECONDS)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def out(self) -> str:
        """What it has said so far on standard output."""
        return self._said["out"].decode("utf-8", "replace")

    @property
    def err(self) -> str:
        """What it has said so far on standard error."""
        return self._said["err"].decode("utf-8", "replace")

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its log so far, when that is JSON lines."""
        return [json.loads(line) for line in self.err.splitlines(keepends=True) if line.endswith("\n")]

    def until_said(self, words: str) -> None:
        """Wait until it has said something, on either stream."""
        until(
            lambda: words in self.out or words in self.err or self._process.poll() is not None,
            f"{words!r} in {self.out!r} {self.err!r}",
            timeout_seconds=SAY_SECONDS,
        )
        assert words in self.out or words in self.err, f"it ended: {self.out} {self.err}"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self, timeout_seconds: float = END_SECONDS) -> Finished:
        """Wait for its end; no command ever shows a traceback."""
        try:
            code = self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"still running after {timeout_seconds:.0f} s: {self.out} {self.err}") from None
        for thread in self._threads:
            thread.join(END_SECONDS)
        finished = Finished(code, bytes(self._said["out"]), self.err)
        assert "Traceback" not in finished.err, finished.err
        return finished

    def _read(self, name: str, pipe: Any) -> None:
        with pipe:
            while chunk := os.read(pipe.fileno(), 65_536):
                self._said[name] += chunk

    def _feed(self, pipe: Any, stdin: bytes) -> None:
        rest = memoryview(stdin)
        with pipe, contextlib.suppress(BrokenPipeError):  # it may need no more
            while rest:
                rest = rest[os.write(pipe.fileno(), rest) :]


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where commands are typed: an environment of its own, and a folder with no env file in it."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def with_settings(self, **settings: str | None) -> "Terminal":
        """Return another terminal with some variables set, or taken away by None."""
        merged = {**self.environment, **settings}
        return Terminal(self.folder, {name: value for name, value in merged.items() if value is not None})

    def start(self, name: str, *arguments: str, stdin: bytes = b"") -> Command:
        """Start a command."""
        return self._start(str(FOLDER / name), *arguments, stdin=stdin)

    def shell(self, line: str, name: str, *arguments: str) -> Command:
        """Start a line of shell, in which `"$@"` is the command."""
        return self._start("sh", "-c", line, "sh", str(FOLDER / name), *arguments)

    def _start(self, *arguments: str, stdin: bytes = b"") -> Command:
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}
        return Command(arguments, {**base, **self.environment}, self.folder, stdin)

    def run(self, name: str, *arguments: str, stdin: bytes = b"") -> Finished:
        """Run a command to its end."""
        with self.start(name, *arguments, stdin=stdin) as command:
            return command.end()

    def run_all(
        self,
        commands: Mapping[str, Sequence[str]],
        stdin: Mapping[str, bytes] | None = None,
    ) -> dict[str, Finished]:
        """Run commands side by side, each to its end."""
        fed = stdin or {}
        return end_all({name: self.start(*each, stdin=fed.get(name, b"")) for name, each in commands.items()})


def end_all(running: Mapping[str, Command]) -> dict[str, Finished]:
    """Wait for the end of commands that run side by side."""
    with contextlib.ExitStack() as stack:
        for command in running.values():
            stack.enter_context(command)
        return {name: command.end() for name, command in running.items()}
