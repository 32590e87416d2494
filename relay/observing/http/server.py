"""A small HTTP server for health and metrics: one thread, and a bound on everything a client can do."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import structlog

from eventstore.errors import SetUpError
from eventstore.ports import Runtime
from relay.lifecycle import Service
from relay.observing.http.answering import Answer, Route, reply
from relay.observing.http.connections import Connection, Connections

BACKLOG = 1024
"""Connections that the system takes for us while we are busy; beyond them a client tries again after a second."""

ACCEPTED_AT_ONCE = 64
"""Connections taken before others are heard again. Of so many, arriving two turns before the first can be heard, none
gives way to another: three times as many have room."""

_LAST_SECONDS = 1.0

_log = structlog.get_logger()


class HttpAddressError(SetUpError):
    """The address for health and metrics cannot be used: choose another, or stop the process that uses it."""


class HttpServer(Service):
    """Serves GET of a few paths from one event loop; each connection gets one answer.

    A connection holds no thread, so that clients which say nothing, or never come to an end, delay nobody. Routes are
    called in the loop: they answer from memory, at once.

    The address is taken at once, so that one in use is said before the relay starts; `start` begins to serve, and
    `join` releases the address, whether it was started or not.

    Raises:
        HttpAddressError: The address is in use, is not this machine's, or may not be used.
    """

    def __init__(self, host: str, port: int, routes: Mapping[str, Route], runtime: Runtime) -> None:
        super().__init__(runtime)
        self._routes = dict(routes)
        self._wake: Callable[[], object] | None = None
        try:
            self._socket = _listening(host, port)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise HttpAddressError(
                f"RELAY_HTTP_HOST and RELAY_HTTP_PORT: cannot listen on {host}:{port}: {reason}; {_advice(error)}",
            ) from error
        self._address = self._socket.getsockname()

    @property
    def port(self) -> int:
        """The port, also when the system chose it."""
        return int(self._address[1])

    def start(self) -> None:
        """See `Service`."""
        super().start()
        _log.info("http.listening", host=str(self._address[0]), port=self.port)

    def stop(self) -> None:
        """See `Service`."""
        super().stop()
        wake = self._wake
        if wake is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                wake()

    def join(self, timeout_seconds: float) -> bool:
        """See `Service`; then release the address, unless something still serves there."""
        has_ended = super().join(timeout_seconds)
        if has_ended:
            self._socket.close()
        return has_ended

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {"http": self._serve}

    def _serve(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        self._wake = partial(loop.call_soon_threadsafe, stopped.set)
        loop.set_exception_handler(_say)
        routes = {path: _once_a_turn(route, loop) for path, route in self._routes.items()}
        connections = Connections(lambda head: reply(head, routes))
        if self._stopping.is_set():  # before there was anything to wake
            return
        server = await loop.create_server(partial(Connection, connections), sock=self._socket, backlog=ACCEPTED_AT_ONCE)
        self._socket.listen(BACKLOG)  # asyncio has one number for both
        await stopped.wait()
        loop.remove_reader(self._socket)
        taken = asyncio.all_tasks() - {asyncio.current_task()}
        if taken:  # connections that are just being taken; a server that is closed would forget to close them
            await asyncio.wait(taken, timeout=_LAST_SECONDS)
        server.close()
        await connections.close(_LAST_SECONDS)


def _once_a_turn(route: Route, loop: asyncio.AbstractEventLoop) -> Route:
    """Return a route that makes its answer once for all who ask at the same moment: scrapers must not delay probes."""
    made: list[Answer] = []

    def answer() -> Answer:
        if not made:
            made.append(route())
            loop.call_soon(made.clear)
        return made[0]

    return answer


def _say(_loop: asyncio.AbstractEventLoop, what: dict[str, Any]) -> None:
    """Log what the loop has to say, such as that no file is left for a new connection."""
    _log.error("http.trouble", reason=what["message"], error=repr(what.get("exception")))


def _listening(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, address = found[0][0], found[0][4]
    is_dual = family is socket.AF_INET6 and socket.has_dualstack_ipv6()  # `::` is both kinds of address
    return socket.create_server(address[:2], family=family, backlog=BACKLOG, dualstack_ipv6=is_dual)


def _advice(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
    if number == errno.EADDRINUSE:
        return "choose another port, or stop the process that uses it"
    if number == errno.EACCES:
        return "choose a port of 1,024 or more"
    return "RELAY_HTTP_HOST must be a name or an address of this machine"
