"""Encrypted connections to RabbitMQ: whose certificate is believed."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.destination import Confirmed
from relay.destinations.bus.broker import TopologyError
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.rabbitmq import RabbitBroker, RabbitSettings
from relay.destinations.bus.settings import BusSettings
from relay.testing.commits import chain
from tests.contract.destinations.worlds import RabbitBusWorld
from tests.support.delivering import deliver

pytestmark = pytest.mark.servers


class TlsFront:
    """Speaks TLS to clients and plain AMQP to the broker, one thread per direction."""

    def __init__(self, target: tuple[str, int], certificate: Path) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            try:
                client = self._context.wrap_socket(plain, server_side=True)
            except OSError:
                plain.close()
                continue
            server = socket.create_connection(self._target, 5)
            for source, sink in ((client, server), (server, client)):
                thread = threading.Thread(target=_pump, args=(source, sink), daemon=True)
                self._threads.append(thread)
                thread.start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65_536):
            sink.sendall(chunk)
    except OSError:
        pass
    finally:
        for end in (source, sink):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(end, socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def make_front(rabbit: RabbitBusWorld, tmp_path: Path) -> Iterator:
    if shutil.which("openssl") is None:
        pytest.skip("the command openssl is needed to make a certificate")
    port = int(rabbit.url.rpartition(":")[2].strip("/"))
    fronts = []

    def make(name: str) -> tuple[TlsFront, str]:
        file = tmp_path / f"{len(fronts)}.pem"
        options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=broker"]
        names = ["-addext", f"subjectAltName={name}"]
        files = ["-keyout", file.with_suffix(".key"), "-out", file]
        command = ["openssl", "req", *options, *names, *files]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        both = tmp_path / f"{len(fronts)}-both.pem"
        both.write_bytes(file.with_suffix(".key").read_bytes() + file.read_bytes())
        fronts.append(TlsFront(("127.0.0.1", port), both))
        return fronts[-1], str(file)

    yield make
    for front in fronts:
        front.close()


def test_a_trusted_certificate(rabbit, make_front):
    """With the authority named and the right name in the certificate, events are delivered."""
    front, authority = make_front("IP:127.0.0.1")
    url = f"amqps://guest:guest@127.0.0.1:{front.port}//"
    bus = Bus(
        RabbitBroker(url, rabbit.names, RabbitSettings(ca_certs=authority)),
        rabbit.runtime,
        BusSettings(names=rabbit.names),
    )

    report = deliver(bus, [chain(f"a{number}", 3) for number in range(200)], 10)

    assert set(report.outcomes.values()) == {Confirmed()}
    bus.drop()


def test_a_certificate_of_nobody_we_know(rabbit, make_front):
    """Without the authority it is refused, and a person must act."""
    front, _ = make_front("IP:127.0.0.1")

    with pytest.raises(TopologyError, match="certificate is not trusted"):
        RabbitBroker(f"amqps://guest:guest@127.0.0.1:{front.port}//", rabbit.names).connect()


def test_a_certificate_of_somebody_else(rabbit, make_front):
    """A valid certificate for another name is no proof."""
    front, authority = make_front("DNS:elsewhere.example")

    with pytest.raises(TopologyError, match="certificate is not trusted"):
        RabbitBroker(
            f"amqps://guest:guest@127.0.0.1:{front.port}//", rabbit.names, RabbitSettings(ca_certs=authority)
        ).connect()
