"""Run one tool to its end, bounded in time, its output shown only when it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from servers.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from servers.account import Account

SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def search_path() -> str:
    """Return PATH with the system's folders, which a bare environment may lack."""
    named = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join([*filter(None, named), *(folder for folder in SYSTEM_FOLDERS if folder not in named)])


def find(program: str) -> str | None:
    """Return a program's full path, None when it is not installed."""
    return shutil.which(program, path=search_path())


def run(
    command: Sequence[str],
    *,
    timeout_seconds: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: Account | None = None,
) -> str:
    """Run a command and return what it printed.

    Args:
        command: Program and arguments; no shell.
        timeout_seconds: After this it is killed and counts as failed.
        env: Added to this command's own environment.
        cwd: Where it runs.
        user: Whom it runs as; None for the user of this command.

    Raises:
        CommandError: It is not there, failed, or took too long; carries the end of its output.
    """
    shown = " ".join(command)
    try:
        done = subprocess.run(
            list(command),
            env={**os.environ, "PATH": search_path(), **(env or {})},
            cwd=cwd,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[user.gid] if user else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise CommandError(shown, reason=f"not found: {error.filename}") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(
            shown, reason=f"not done after {timeout_seconds:.0f} s", output=_text(error.output)
        ) from error
    if done.returncode != 0:
        raise CommandError(shown, reason=f"exit code {done.returncode}", output=_text(done.stdout))
    return _text(done.stdout)


def _text(output: bytes | None) -> str:
    return (output or b"").decode("utf-8", errors="replace")
