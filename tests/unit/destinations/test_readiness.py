"""A wait for a socket ends when there is something to read, when its time is over, or when somebody calls."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from relay.destinations.bus.readiness import Readiness


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


@pytest.fixture
def readiness(ends: tuple[socket.socket, socket.socket]) -> Iterator[Readiness]:
    waiting = Readiness(ends[0])
    yield waiting
    waiting.close()


def test_what_can_be_read_is_told(ends, readiness):
    """Nothing, something, and nothing again."""
    assert not readiness(0)
    ends[1].send(b"x")
    assert readiness(10)
    ends[0].recv(1)
    assert not readiness(0)


def test_a_wait_is_ended_from_another_thread(readiness):
    """It ends at once, with nothing to read."""
    started = time.monotonic()
    caller = threading.Timer(0.05, readiness.wake)
    caller.start()

    assert not readiness(60)

    assert time.monotonic() - started < 30
    caller.join(10)


def test_a_call_before_the_wait_ends_one_wait_alone(readiness):
    """Many calls are one, and the wait after the next one lasts its time."""
    for _ in range(1_000):
        readiness.wake()
    started = time.monotonic()
    assert not readiness(60)
    assert time.monotonic() - started < 30
    started = time.monotonic()
    assert not readiness(0.05)
    assert time.monotonic() - started >= 0.05


def test_a_call_hides_nothing_that_can_be_read(ends, readiness):
    """Both at once: there is something to read, and the call is over."""
    ends[1].send(b"x")
    readiness.wake()
    assert readiness(10)
    ends[0].recv(1)
    started = time.monotonic()
    assert not readiness(0.05)
    assert time.monotonic() - started >= 0.05


def test_calls_after_the_end_do_nothing(ends):
    """Not even to a socket that has the number of one that was closed."""
    readiness = Readiness(ends[0])
    readiness.close()
    readiness.close()
    near, far = socket.socketpair()
    with near, far:
        readiness.wake()
        for each in (near, far):
            each.setblocking(False)
            with pytest.raises(BlockingIOError):
                each.recv(1)


def test_decrypted_bytes_are_found():
    """TLS may hold bytes that the system knows nothing of."""

    class Encrypted:
        def __init__(self, sock: socket.socket) -> None:
            self.fileno = sock.fileno

        def pending(self) -> int:
            return 3

    near, far = socket.socketpair()
    with near, far:
        readiness = Readiness(Encrypted(near))
        assert readiness(0)
        readiness.close()
