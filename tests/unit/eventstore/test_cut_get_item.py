"""GetItem cut short: an absent item has no member to miss, so the checksum of the reply has to tell."""

import json
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from eventstore.dynamodb import calls
from eventstore.dynamodb.connection import Endpoint, connect
from eventstore.dynamodb.errors import OutcomeLostError

WHOLE = json.dumps({"Item": {"id": {"S": "there"}}}).encode()


class Cutting(BaseHTTPRequestHandler):
    """Answers with less than the checksum is of, and says that this is all."""

    body = b"{}"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("x-amz-crc32", str(zlib.crc32(WHOLE)))
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Cutting)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="cutting", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.mark.parametrize("body", [b"{}", b"", WHOLE[:12]])
def test_a_get_item_that_was_cut_short_is_a_lost_reply(
    address: str, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A reply that looks like that of an absent item does not fit its checksum, and says nothing.
    """
    monkeypatch.setattr(Cutting, "body", body)
    client = connect(Endpoint(address, "eu-central-1", "local", "local"))

    with pytest.raises(OutcomeLostError):
        calls.call(client.get_item, TableName="t", Key={"id": {"S": "there"}})

    monkeypatch.setattr(Cutting, "body", WHOLE)
    assert calls.call(client.get_item, TableName="t", Key={"id": {"S": "there"}})["Item"] == {"id": {"S": "there"}}
    client.close()
