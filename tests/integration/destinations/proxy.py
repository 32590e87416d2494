"""A proxy on loopback that can go deaf, drop its connections, or say something to the client itself."""

import contextlib
import re
import selectors
import socket
import threading

CHUNK = 65_536


class Proxy:
    """Carries bytes between clients and one server, on a thread of its own."""

    def __init__(self) -> None:
        self.connections = 0
        self._target = ("127.0.0.1", 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._accept, name="proxy", daemon=True)]
        self._threads[0].start()

    def through(self, url: str) -> str:
        """Return the address with this proxy's port in place of the server's."""
        found = re.search(r"127\.0\.0\.1:(\d+)", url)
        assert found, f"{url} is not on loopback"
        self._target = ("127.0.0.1", int(found[1]))
        return url.replace(found[0], f"127.0.0.1:{self._listener.getsockname()[1]}")

    def pause(self) -> None:
        """Carry nothing more, in either direction; connections stay, new ones are taken and not served."""
        self._open.clear()

    def resume(self) -> None:
        """Carry on, with what was held back."""
        self._open.set()

    def drop(self) -> None:
        """Break every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def say(self, words: bytes) -> None:
        """Say something to the client of the last connection, as if the server had."""
        with self._lock:
            self._pairs[-1][0].sendall(words)

    def close(self) -> None:
        """Stop."""
        self._stopped.set()
        self._open.set()
        self.drop()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target, 5)
            except OSError:
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            with self._lock:
                self._pairs.append((client, server))
            thread = threading.Thread(target=self._carry, args=(client, server), name="proxy", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with selectors.DefaultSelector() as selector, client, server, contextlib.suppress(OSError):
            for end in other:
                selector.register(end, selectors.EVENT_READ)
            while not self._stopped.is_set():
                for key, _ in selector.select(0.1):
                    self._open.wait()
                    chunk = key.fileobj.recv(CHUNK)
                    if not chunk:
                        return
                    other[key.fileobj].sendall(chunk)
