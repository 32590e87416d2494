"""Credentials in files: read where they are needed, taken up when they are replaced, and shown to nobody."""

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventstore import Endpoint, connect
from eventstore.environment.access import Access, AccessFiles, SecretFileError
from eventstore.errors import AccessDeniedError
from relay.destinations.bus.broker import TopologyError
from relay.destinations.bus.rabbitmq import RabbitBroker, RabbitSettings
from relay.destinations.bus.rabbitmq_topology import RabbitTopology
from relay.destinations.index.client import IndexRefusedError
from relay.destinations.index.elasticsearch import ElasticsearchClient
from relay.destinations.resource_names import Names
from tests.support.amqp_peer import AmqpPeer, amqp_peer
from tests.support.answering_server import Answer, AnsweringServer, answering_server, checksummed

URL = "amqp://relay@bus:5672/shop"


@pytest.fixture
def secret(tmp_path: Path) -> Any:
    """Writes a file, as a secret that is mounted is replaced: by a rename."""

    def write(content: str | bytes, name: str = "secret") -> Path:
        fresh = tmp_path / "fresh"
        fresh.write_bytes(content if isinstance(content, bytes) else content.encode())
        return fresh.replace(tmp_path / name)

    return write


@pytest.mark.parametrize(
    ("urls", "user", "password", "found"),
    [
        ("amqp://relay@bus:5672/shop", None, "se@s:/ame", "amqp://relay:se%40s%3A%2Fame@bus:5672/shop"),
        ("amqp://relay:old@bus/shop", None, "sesame", "amqp://relay:sesame@bus/shop"),
        ("amqp://relay:old@bus", "other", None, "amqp://other:old@bus"),
        ("amqp://bus/shop", "relay", "sesame", "amqp://relay:sesame@bus/shop"),
        ("https://a:1,https://u:x,y@b:2", "me", "sesame", "https://me:sesame@a:1,https://me:sesame@b:2"),
        ("amqp://relay:old@bus", None, None, "amqp://relay:old@bus"),
    ],
)
def test_user_and_password_take_the_place_of_those_in_the_address(
    secret: Any, urls: str, user: str | None, password: str | None, found: str
) -> None:
    """
    Escaped as an address wants it, in each of several; a line break behind them is none of theirs.
    """
    files = AccessFiles(
        "RELAY_RABBITMQ_URL",
        urls,
        None if user is None else secret(f"{user}\n", "user"),
        None if password is None else secret(f"{password}\r\n", "password"),
    )

    assert files.now() == Access(found)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist or is not a file"),
        ("", "is empty, or holds more than one line"),
        ("\n", "is empty, or holds more than one line"),
        ("sesame\nsesame", "is empty, or holds more than one line"),
        ("ses\0ame", "is empty, or holds more than one line"),
        ("sesame" * 20_000, "is empty, or holds more than one line of up to 64 KiB"),
        (b"sesame\xff", "is not text in UTF-8"),
    ],
)
def test_a_file_that_holds_no_credential(secret: Any, tmp_path: Path, content: Any, says: str) -> None:
    """
    The variable is named, the content is not.
    """
    path = tmp_path / "gone" if content is None else secret(content)
    files = AccessFiles("RELAY_RABBITMQ_URL", URL, password=path)

    with pytest.raises(SecretFileError) as caught:
        files.now()

    assert str(caught.value).startswith("RELAY_RABBITMQ_PASSWORD_FILE: ")
    assert says in str(caught.value)
    assert "sesame" not in f"{caught.value!r} {caught.value.__cause__} {files!r}"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """
    Nobody may ever write to it.
    """
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(SecretFileError, match="is not a file"):
        AccessFiles("RELAY_RABBITMQ_URL", URL, password=tmp_path / "pipe").now()


def test_credentials_that_contradict_each_other(secret: Any) -> None:
    """
    A password of nobody, and a key beside a user.
    """
    with pytest.raises(
        SecretFileError, match="RELAY_RABBITMQ_PASSWORD_FILE: needs a user, in RELAY_RABBITMQ_USER_FILE"
    ):
        AccessFiles("RELAY_RABBITMQ_URL", "amqp://bus", password=secret("sesame")).now()
    with pytest.raises(SecretFileError, match="RELAY_ELASTICSEARCH_API_KEY_FILE: is given together with a user"):
        AccessFiles("RELAY_ELASTICSEARCH_URL", "http://me:sesame@h:1", api_key=secret("key")).now()


@pytest.fixture
def peer() -> Iterator[AmqpPeer]:
    with amqp_peer() as made:
        yield made


def test_the_bus_takes_up_a_password_at_its_next_connection(peer: AmqpPeer, secret: Any) -> None:
    """
    So does what looks at its queues; without the file it is the operator's error, and heals by itself.
    """
    path = secret("first")
    files = AccessFiles("RELAY_RABBITMQ_URL", peer.url.replace("guest:guest", "relay"), password=path)
    settings = RabbitSettings(connect_timeout_seconds=2.0, io_timeout_seconds=2.0)
    broker = RabbitBroker(files.now().urls, Names(), settings, lambda: files.now().urls)
    broker.connect().close()
    secret("second")
    broker.connect().close()
    path.unlink()
    with pytest.raises(TopologyError, match=f"RELAY_RABBITMQ_PASSWORD_FILE: {path} does not exist"):
        broker.connect()
    secret("third")
    topology = RabbitTopology(files.urls, Names(), settings, lambda: files.now().urls)
    topology.depths()

    said = [login.partition(b"\0relay\0")[2] for login in peer.logins]
    assert [each.partition(b"\x05en_US")[0] for each in said] == [b"first", b"second", b"third"]


def authorization(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with answering_server() as made:
        made.answer = Answer(b"{}", headers={"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"})
        yield made


def test_the_index_takes_up_a_password_at_its_next_request(server: AnsweringServer, secret: Any) -> None:
    """
    Without the file it is refused as with a wrong one, and heals by itself.
    """
    path = secret("fi/rst")
    files = AccessFiles("RELAY_ELASTICSEARCH_URL", server.url.replace("//", "//relay@"), password=path)
    client = ElasticsearchClient(files.now().urls, fresh=files.now)
    client.call("GET", "/", 5.0)
    client.call("GET", "/", 5.0)
    secret("second")
    client.call("GET", "/", 5.0)
    path.unlink()
    with pytest.raises(IndexRefusedError, match=r"RELAY_ELASTICSEARCH_PASSWORD_FILE: .* does not exist") as refused:
        client.call("GET", "/", 5.0)
    secret("third")
    client.call("GET", "/", 5.0)
    client.close()

    expected = [authorization("relay", each) for each in ("fi/rst", "fi/rst", "second", "third")]
    assert refused.value.status == 401
    assert server.authorized == expected


def test_the_index_takes_up_an_api_key(server: AnsweringServer, secret: Any) -> None:
    """
    The same.
    """
    files = AccessFiles("RELAY_ELASTICSEARCH_URL", server.url, api_key=secret("first"))
    now = files.now()
    client = ElasticsearchClient(now.urls, api_key=now.api_key, fresh=files.now)
    client.call("GET", "/", 5.0)
    secret("second\n")
    client.call("GET", "/", 5.0)
    client.close()

    assert server.authorized == ["ApiKey first", "ApiKey second"]


@pytest.mark.parametrize("name", ["credentials", "config"])
def test_keys_in_the_files_of_aws_are_taken_up(
    server: AnsweringServer, secret: Any, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    By clients that were made before. A file that is just being written, or is gone, changes nothing.
    """
    for variable in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    server.answer = checksummed(b'{"Responses": []}')

    def keys(key: str) -> Path:
        path: Path = secret(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = s\n", name)
        return path

    path = keys("AKFIRST")
    client = connect(Endpoint(server.url, "eu-central-1"))

    def ask() -> str:
        client.transact_get_items(TransactItems=[])
        return str(server.authorized[-1]).partition("Credential=")[2].partition("/")[0]

    assert [ask(), ask()] == ["AKFIRST", "AKFIRST"]
    keys("AKSECOND")
    assert ask() == "AKSECOND"
    secret("[default\nhalf", name)
    assert ask() == "AKSECOND"
    path.unlink()
    assert ask() == "AKSECOND"
    keys("AKTHIRD")
    assert ask() == "AKTHIRD"


def test_no_keys_at_all_are_no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    Files that are not there are followed to nowhere.
    """
    for variable in [each for each in os.environ if each.startswith("AWS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = connect(Endpoint("http://127.0.0.1:1", "eu-central-1"))

    with pytest.raises(Exception, match="credentials") as caught:
        client.get_item(TableName="t", Key={})

    assert not isinstance(caught.value, AccessDeniedError)  # botocore's own, which the caller of clients translates
