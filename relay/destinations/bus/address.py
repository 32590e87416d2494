"""Where RabbitMQ is: one address, or those of a cluster's nodes with commas between. Pure."""

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

SCHEMES = ("amqp", "amqps", "pyamqp", "pyamqps")
ADDRESSES_MAX = 16
PORT, TLS_PORT = 5672, 5671
VIRTUAL_HOST_DEFAULT = "/"
GUEST = "guest"

_BETWEEN = re.compile(r"\s*[,;]\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_SEVERAL = "several addresses are each written in full, beginning with amqp://, with commas between"
_UNESCAPED = "write '@', '/', ':', '?', '#' and ',' in user, password or virtual host as %40, %2F, %3A, %3F, %23, %2C"


@dataclass(frozen=True, slots=True)
class BusAddress:
    """One node of the broker.

    Attributes:
        scheme: `amqp` or `amqps`, or kombu's names of the two.
        host: Name or IP address.
        port: TCP port.
        virtual_host: Of the exchanges and queues.
        user: Who logs in.
        password: Their secret; in no text of this object.
        login_method: SASL mechanism; None leaves it to the client library.
        is_tls: Whether the connection is encrypted.
    """

    scheme: str
    host: str
    port: int
    virtual_host: str
    user: str
    password: str = field(repr=False)
    login_method: str | None
    is_tls: bool

    @property
    def place(self) -> str:
        """The node and the virtual host, without credentials, written in one way however the address was."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{quote(self.virtual_host, safe='/')}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}"


def read_addresses(text: str) -> tuple[BusAddress, ...]:
    """Return the addresses of a text, in its order.

    Args:
        text: `amqp://user:password@host:port/vhost`; of a cluster, several of them with commas between.

    Raises:
        ValueError: They cannot be read; the message holds nothing of them, since they may hold a password.
    """
    given = _BETWEEN.split(text.strip())
    if len(given) > ADDRESSES_MAX:
        raise ValueError(f"has {len(given)} addresses, and there may be {ADDRESSES_MAX}")
    found = []
    for number, each in enumerate(given, 1):
        try:
            found.append(_read(each))
        except ValueError as error:
            which = f"address {number} of {len(given)} " if len(given) > 1 else ""
            raise ValueError(f"{which}{error}") from None
    if len({each.virtual_host for each in found}) > 1:
        raise ValueError("names several virtual hosts: all addresses must be nodes of one cluster, with one of them")
    return tuple(found)


def places_of(addresses: tuple[BusAddress, ...]) -> str:
    """Return where a broker is, for people; without credentials."""
    return ", ".join(map(str, addresses))


def _read(text: str) -> BusAddress:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"is not of the form amqp://user:password@host:port/vhost; {_SEVERAL}; {_UNESCAPED}") from None
    if parts.scheme not in SCHEMES:
        raise ValueError("must begin with amqp:// or amqps://")
    fault = _fault(text, parts)
    if fault is not None:
        raise ValueError(fault)
    query = parse_qs(parts.query)
    is_tls = parts.scheme.endswith("s") or any(name == "ssl" or name.startswith("ssl_") for name in query)
    return BusAddress(
        scheme=parts.scheme,
        host=unquote(parts.hostname or "localhost"),
        port=port or (TLS_PORT if is_tls else PORT),
        virtual_host=unquote(parts.path.removeprefix("/")) or VIRTUAL_HOST_DEFAULT,
        user=unquote(parts.username or "") or GUEST,
        password=unquote(parts.password or "") or GUEST,
        login_method=next(iter(query.get("login_method", ())), None),
        is_tls=is_tls,
    )


def _fault(text: str, parts: SplitResult) -> str | None:
    """Return why an address would be taken for another one than was meant."""
    if any(character.isspace() or not character.isprintable() for character in text):
        return "has a blank or a control character: write it as %20 or the like"
    if "@" in f"{parts.path}{parts.query}" or "#" in text:
        return f"has a character that must be escaped; {_UNESCAPED}"
    if any(mark in f"{parts.hostname or ''}{parts.path}" for mark in ",;"):
        return f"has a ',' or ';' that does not stand before the next address; {_SEVERAL}"
    return None
