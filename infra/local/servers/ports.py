"""Free loopback ports, remembered so that a restart of a server changes no address."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from servers.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LOOPBACK = "127.0.0.1"
LOWEST = 20_000
EPHEMERAL_FROM = 32_768
ATTEMPTS_MAX = 200


def is_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # The servers set this option too; without it the port of a server that just ended looks taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def pick(taken: Collection[int], *, below: int | None = None) -> int:
    """Return a free port that is not in `taken`.

    The port lies below the kernel's range for outgoing connections. Inside that range an outgoing connection may
    take it while its server is down, and a client that keeps trying may even connect to itself.
    """
    ceiling = below if below is not None else ephemeral_from()
    for _ in range(ATTEMPTS_MAX):
        port = random.randrange(LOWEST, max(ceiling, LOWEST + 1))  # noqa: S311 - spreads clones apart, protects nothing
        if port not in taken and is_free(port):
            return port
    message = f"a free port on {LOOPBACK} between {LOWEST} and {ceiling}"
    raise MissingError(message, get="ss --listening --tcp --processes   # and end what is not needed")


def assign(names: Collection[str], remembered: Mapping[str, int]) -> dict[str, int]:
    """Give each name its remembered port if that is still free, else a new one."""
    assigned: dict[str, int] = {}
    for name in names:
        port = remembered.get(name)
        others = {*remembered.values(), *assigned.values()}
        assigned[name] = port if port is not None and is_free(port) else pick(others)
    return assigned


def ephemeral_from() -> int:
    """Return the first port that the kernel gives to outgoing connections."""
    try:
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return EPHEMERAL_FROM
    return lowest if lowest > LOWEST else EPHEMERAL_FROM
