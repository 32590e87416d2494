"""Where a server is and who asks, when the credentials are in files that are replaced while a program runs."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from eventstore.errors import SetUpError

SECRET_MAX_BYTES = 64 * 1024

_ADDRESSES = re.compile(r",(?=\s*[a-z]+://)")  # a password may hold a comma
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]+")


class SecretFileError(SetUpError):
    """A file with a credential cannot be read, or holds none. The message names the variable, never the content."""


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """Addresses with user and password in them, or beside an API key.

    Attributes:
        urls: As a client of the server takes them.
        api_key: Used instead of user and password; None without one.
    """

    urls: str
    api_key: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class AccessFiles:
    """Addresses as they are set, and the files with what belongs to them.

    Attributes:
        variable: Of the addresses, such as `RELAY_RABBITMQ_URL`; those of the files are named after it.
        urls: The addresses; user and password in them count where there is no file.
        user: Holds the user's name.
        password: Holds the password.
        api_key: Holds an API key.
    """

    variable: str
    urls: str
    user: Path | None = None
    password: Path | None = None
    api_key: Path | None = None

    def now(self) -> Access:
        """Read the files.

        Raises:
            SecretFileError: One cannot be read, holds nothing or several lines, or contradicts another.
        """
        stem = self.variable.removesuffix("_URL")
        user = None if self.user is None else _read(f"{stem}_USER_FILE", self.user)
        password = None if self.password is None else _read(f"{stem}_PASSWORD_FILE", self.password)
        api_key = None if self.api_key is None else _read(f"{stem}_API_KEY_FILE", self.api_key)
        urls = [_with(url, user, password) for url in _ADDRESSES.split(self.urls)]
        if api_key is not None and any(_person(url) for url in urls):
            raise SecretFileError(f"{stem}_API_KEY_FILE: is given together with a user or a password; choose one")
        if password is not None and any(_person(url).startswith(":") for url in urls):
            raise SecretFileError(
                f"{stem}_PASSWORD_FILE: needs a user, in {stem}_USER_FILE or before the @ in {self.variable}"
            )
        return Access(",".join(urls), api_key)


def _read(variable: str, path: Path) -> str:
    try:
        if not path.is_file():  # nor a pipe, which nobody may ever write to
            raise SecretFileError(f"{variable}: {path} does not exist or is not a file")
        with path.open("rb") as file:
            content = file.read(SECRET_MAX_BYTES + 1)
        text = content.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise SecretFileError(f"{variable}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SecretFileError(f"{variable}: {path} is not text in UTF-8") from None  # the error quotes the content
    if len(content) > SECRET_MAX_BYTES or not _PLAIN.fullmatch(text):
        raise SecretFileError(f"{variable}: {path} is empty, or holds more than one line of up to 64 KiB")
    return text


def _person(url: str) -> str:
    """Return what stands before the last `@`: user and password, as they are written."""
    return url.partition("://")[2].rpartition("@")[0]


def _with(url: str, user: str | None, password: str | None) -> str:
    """Return an address with another user, another password, or both."""
    if user is None and password is None:
        return url
    scheme, mark, rest = url.partition("://")
    person, _, place = rest.rpartition("@")
    old_user, colon, old_password = person.partition(":")
    new_user = old_user if user is None else quote(user, safe="")
    new_password = f"{colon}{old_password}" if password is None else f":{quote(password, safe='')}"
    return f"{scheme}{mark}{new_user}{new_password}@{place}"
