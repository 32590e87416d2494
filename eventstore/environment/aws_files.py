"""Keys in boto3's files, followed when the files are replaced: boto3 itself reads them once for each client.

Temporary credentials that boto3 fetches (a role, a web identity, a container, an instance, a program) it renews itself.
"""

import threading
from pathlib import Path
from typing import Any

from botocore.credentials import CredentialProvider, Credentials
from botocore.exceptions import BotoCoreError

_FILES = {"shared-credentials-file": "credentials_file", "config-file": "config_file"}
"""Provider of boto3's chain → variable that names its file."""


def follow(session: Any) -> None:
    """Let a botocore session, whose credentials were not asked for yet, follow the files of its chain."""
    resolver = session.get_component("credential_provider")
    for name, variable in _FILES.items():
        path = Path(session.get_config_variable(variable)).expanduser()
        resolver.insert_before(name, _Following(resolver.get_provider(name), path))


class _Following(CredentialProvider):
    """Finds what another provider finds, and goes on looking."""

    METHOD = "followed-file"

    def __init__(self, behind: Any, path: Path) -> None:
        super().__init__()
        self._behind = behind
        self._path = path

    def load(self) -> "Credentials | None":
        """Return credentials when the file has some."""
        stamp = _stamp(self._path)
        found = self._behind.load()
        return None if found is None else _Followed(found, self._behind, self._path, stamp)


class _Followed(Credentials):
    """Credentials as the file has them now; what cannot be read leaves them as they were."""

    def __init__(self, found: Any, behind: Any, path: Path, stamp: object) -> None:
        super().__init__(found.access_key, found.secret_key, found.token, method=found.method)
        self._found = found
        self._behind = behind
        self._path = path
        self._seen = stamp
        self._reading = threading.Lock()

    def get_frozen_credentials(self) -> Any:
        """Return them; a request is signed with what this gives."""
        stamp = _stamp(self._path)
        if stamp != self._seen and self._reading.acquire(blocking=False):
            try:
                self._found = self._behind.load() or self._found
                self._seen = stamp
            except BotoCoreError:
                pass  # somebody is just writing it: the next request looks again
            finally:
                self._reading.release()
        return self._found.get_frozen_credentials()


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
