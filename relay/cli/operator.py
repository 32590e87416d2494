"""Who runs a command, and the reasons they give, for the audit records."""

import getpass
import socket

import click

from relay.operating.audit_trail import REASON_MAX_CHARACTERS

_NAME_MAX_CHARACTERS = 200


def operator_name() -> str:
    """Return `user@host`; a user without a name, as in a bare container, is `unknown`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Check a short text that an operator gives."""
    return None if value is None else _checked(value, _NAME_MAX_CHARACTERS)


def reason(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Check a reason that an operator gives."""
    return None if value is None else _checked(value, REASON_MAX_CHARACTERS)


def _by(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    return _checked(operator_name() if value is None else value, _NAME_MAX_CHARACTERS)


def _checked(value: str, characters_max: int) -> str:
    text = value.strip()
    if not 1 <= len(text) <= characters_max:
        raise click.BadParameter(f"must have 1 to {characters_max:,} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise click.BadParameter("is not valid UTF-8") from None
    return text


by_option = click.option("--by", callback=_by, default=None, help="Your name, kept in the audit log. [user@host]")
