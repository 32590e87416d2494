"""Credentials that cannot be had, and ways that lead nowhere: said at once, with what to do, and nothing was sent."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import eventstore.cli
import relay.cli
from eventstore import (
    ANY,
    AccessDeniedError,
    Backoff,
    Endpoint,
    EndpointError,
    EventStore,
    InvalidInputError,
    OutcomeUnknownError,
    StoreOptions,
    TableNames,
    UnreachableError,
    connect,
)
from eventstore.context import StoreContext
from eventstore.dynamodb import replies
from eventstore.dynamodb.store_record import StoreRecord
from eventstore.settings import SettingsError, StoreSettings, load
from eventstore.system import SystemRuntime
from tests.support.answering_server import AnsweringServer, answering_server, checksummed

from .conftest import ITEM, FaultyClient, event, lost

REGION = "eu-central-1"
SET_UP_IS_WRONG = 2
NOW = "2000-01-01T00:00:00Z"
LATER = "2999-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where nothing of AWS is set up."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "EVENTSTORE_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with answering_server() as made:
        made.answer = checksummed(b"{}")
        yield made


def store_on(client: Any) -> EventStore:
    replies.watch(client)
    quick = Backoff(attempts_max=2, base_seconds=0.0, cap_seconds=0.0)
    options = StoreOptions(append_backoff=quick, read_backoff=quick)
    return EventStore(StoreContext(client, TableNames(), StoreRecord(), options, SystemRuntime()))


def appending(client: Any, expected: Any = 0) -> Callable[[], Any]:
    store = store_on(client)
    return lambda: store.append(ITEM, [event()], expected_version=expected)


def program(folder: Path, *lines: str) -> Path:
    """Write a program that gives out credentials, or fails to."""
    path = folder / "give"
    path.write_text("#!/bin/sh\n" + "\n".join(lines))
    path.chmod(0o755)
    return path


def give(expires: str) -> str:
    keys = '"AccessKeyId":"a","SecretAccessKey":"b","SessionToken":"c"'
    return f"""echo '{{"Version":1,{keys},"Expiration":"{expires}"}}'"""


SSO = """
sso_session = mine
sso_account_id = 123456789012
sso_role_name = reader
[sso-session mine]
sso_start_url = https://example.invalid/start
sso_region = eu-central-1
"""

CIRCLE = """
[default]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = two
[profile two]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = one
[profile one]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = two
"""

CONFIGURATIONS: dict[str, tuple[str, str]] = {
    "a malformed file": ("[default\nnot a setting", "config"),
    "sso without a sign-in": ("[default]\n" + SSO, "aws sso login"),
    "sso, half of it": ("[default]\nsso_start_url = https://example.invalid\nsso_account_id = 1", "sso"),
    "a program that is not there": ("[default]\ncredential_process = /no/such/program", "/no/such/program"),
    "a program that fails": ("[default]\ncredential_process = false", "get-caller-identity"),
    "a program that says nothing": ("[default]\ncredential_process = true", "get-caller-identity"),
    "a program that says a list": ("[default]\ncredential_process = echo []", "get-caller-identity"),
    "a role whose source is missing": (
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = gone",
        "gone",
    ),
    "roles in a circle": (
        CIRCLE,
        "two",
    ),
    "a role from a source that nobody knows": (
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Somewhere",
        "Somewhere",
    ),
    "nothing at all": ("", "AWS_ACCESS_KEY_ID"),
}


@pytest.mark.parametrize("name", list(CONFIGURATIONS))
def test_credentials_that_cannot_be_had(name: str, home: Path, server: AnsweringServer) -> None:
    """
    Whether that shows when the client is made or at its first call: an operator's error, and no request was made.
    """
    text, says = CONFIGURATIONS[name]
    (home / "config").write_text(text)

    with pytest.raises(AccessDeniedError, match=f"(?s){says}"):
        appending(connect(Endpoint(server.url, REGION)))()

    assert server.asked == []


@pytest.mark.parametrize("given", [{"profile": "gone"}, {}])
def test_a_profile_that_is_not_there(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Named in the program or in the environment: the error names it, and where to name another.
    """
    if not given:
        monkeypatch.setenv("AWS_PROFILE", "gone")

    with pytest.raises(AccessDeniedError, match=r"gone.*AWS_PROFILE"):
        connect(Endpoint(None, REGION, **given))


def made_by_boto3(url: str) -> Any:
    """Return a client that tries again itself, as those that programs make."""
    again = Config(retries={"total_max_attempts": 3})
    return boto3.Session().client("dynamodb", region_name=REGION, endpoint_url=url, config=again)


def made_by_us(url: str) -> Any:
    return connect(Endpoint(url, REGION))


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")


@pytest.mark.parametrize("make", [made_by_us, made_by_boto3], ids=["connect", "boto3"])
@pytest.mark.parametrize("expected", [0, ANY])
@pytest.mark.parametrize(
    "then",
    [["echo no ticket >&2", "exit 3"], ["echo"], ["echo '[]'"], ["echo '{\"Version\":1}'"], None],
    ids=["fails", "says nothing", "says a list", "says half", "is gone"],
)
def test_a_program_that_fails_while_the_service_runs(
    home: Path, server: AnsweringServer, make: Callable[[str], Any], expected: object, then: list[str] | None
) -> None:
    """
    The first credentials have expired and no others can be had: said at once, and the outcome is known.
    """
    path = program(home, give(NOW))
    (home / "config").write_text(f"[default]\ncredential_process = {path}")
    client = make(server.url)
    if then is None:
        path.unlink()
    else:
        program(home, *then)

    with pytest.raises(AccessDeniedError, match="get-caller-identity"):
        appending(client, expected)()

    assert server.asked == []


def test_credentials_that_are_good_again(home: Path, server: AnsweringServer) -> None:
    """
    The store needs no restart.
    """
    path = program(home, "exit 1")
    (home / "config").write_text(f"[default]\ncredential_process = {path}")
    program(home, give(NOW))
    append = appending(made_by_us(server.url))
    program(home, "exit 1")
    with pytest.raises(AccessDeniedError):
        append()

    program(home, give(LATER))

    assert append().version == 1


def test_a_role_that_may_not_be_taken(home: Path, server: AnsweringServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The service that gives out credentials refuses; that is not DynamoDB's word about the append.
    """
    server.answer = checksummed(
        b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>",
        403,
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    (home / "config").write_text(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n"
        "[profile keys]\naws_access_key_id = a\naws_secret_access_key = b"
    )

    with pytest.raises(AccessDeniedError, match=r"AssumeRole.*get-caller-identity"):
        appending(made_by_us("http://127.0.0.1:1"))()


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def saying() -> Iterator[Callable[[bytes], int]]:
    """Return a port where the first bytes of each connection are answered with those given, and then closed."""
    listening: list[socket.socket] = []

    def start(words: bytes) -> int:
        one = socket.create_server(("127.0.0.1", 0))
        listening.append(one)

        def accept() -> None:
            try:
                while True:
                    connection, _ = one.accept()
                    with connection:
                        connection.recv(65_536)
                        connection.sendall(words)
            except OSError:
                return

        threading.Thread(target=accept, name="saying", daemon=True).start()
        port: int = one.getsockname()[1]
        return port

    yield start
    for one in listening:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


KEYS = {"access_key_id": "local", "secret_access_key": "local"}


MAKERS = pytest.mark.parametrize("make", [made_by_us, made_by_boto3], ids=["connect", "boto3"])


@MAKERS
@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("expected", [0, ANY])
@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28"])
def test_a_tls_handshake_that_fails(
    make: Callable[[str], Any], expected: object, words: bytes, saying: Callable[[bytes], int]
) -> None:
    """
    A plain server behind `https`, or one that refuses the handshake: no byte of the request has left.
    """
    with pytest.raises(EndpointError, match="certificates"):
        appending(make(f"https://127.0.0.1:{saying(words)}"), expected)()


@MAKERS
@pytest.mark.usefixtures("keys")
def test_a_port_where_nobody_listens(make: Callable[[str], Any]) -> None:
    """
    It was never reached, however often the client tries by itself.
    """
    with pytest.raises(UnreachableError, match="never reached"):
        appending(make(f"http://127.0.0.1:{closed_port()}"))()


@MAKERS
@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("expected", [0, ANY])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("words", [None, b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"])
def test_a_proxy_that_cannot_be_used(
    make: Callable[[str], Any],
    scheme: str,
    expected: object,
    words: bytes | None,
    saying: Callable[[bytes], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    It is not there, or wants a password: it has passed nothing on.
    """
    port = closed_port() if words is None else saying(words)
    monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{port}")

    with pytest.raises(EndpointError, match="HTTPS_PROXY"):
        appending(make(f"{scheme}://db.invalid"), expected)()


def test_a_file_of_certificates_that_is_not_there(
    saying: Callable[[bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It is an operator's error as well.
    """
    monkeypatch.setenv("AWS_CA_BUNDLE", "/no/such/bundle.pem")

    with pytest.raises(EndpointError, match="certificates"):
        appending(connect(Endpoint(f"https://127.0.0.1:{saying(b'')}", REGION, **KEYS)))()


def test_a_connection_that_ends_in_its_handshake(saying: Callable[[bytes], int]) -> None:
    """
    Nothing was sent, and it may go well later; the outcome is known.
    """
    with pytest.raises(UnreachableError):
        appending(connect(Endpoint(f"https://127.0.0.1:{saying(b'')}", REGION, **KEYS)))()


def test_credentials_that_are_gone_after_a_lost_reply(client: FaultyClient, store: EventStore) -> None:
    """
    An earlier attempt may have been stored: the later refusal does not make that untrue.
    """
    denied = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "no"}}, "TransactWriteItems")
    client.before = [None, denied]
    client.after = [lost()]

    with pytest.raises(OutcomeUnknownError, match="ExpiredToken"):
        store.append(ITEM, [event()], expected_version=0)


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (eventstore.cli.main, ["init"]),
        (eventstore.cli.main, ["show", "item-1"]),
        (eventstore.cli.main, ["stats"]),
        (relay.cli.main, ["status"]),
        (relay.cli.main, ["parked", "list"]),
    ],
    ids=["init", "show", "stats", "status", "parked list"],
)
@pytest.mark.parametrize("name", ["a malformed file", "sso without a sign-in", "a program that fails", "a profile"])
def test_commands_end_with_2(
    name: str, main: Any, words: list[str], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """
    A person is told what to set right, in one line, and nothing about a defect.
    """
    (home / "config").write_text("" if name == "a profile" else CONFIGURATIONS[name][0])
    if name == "a profile":
        monkeypatch.setenv("EVENTSTORE_AWS_PROFILE", "gone")
    monkeypatch.setenv("EVENTSTORE_AWS_REGION", REGION)
    monkeypatch.setenv("EVENTSTORE_DYNAMODB_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(SystemExit) as ended:
        main(words)

    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == SET_UP_IS_WRONG
    assert line.startswith("error: ")
    assert "defect" not in line


def test_what_holds_secrets_does_not_show_them() -> None:
    """
    Neither `repr` nor `str` of an endpoint or of settings has a secret in it; the key id is none.
    """
    endpoint = Endpoint("http://db", REGION, "key-id", "sesame", "token-sesame")
    settings = StoreSettings(
        aws_access_key_id="key-id",
        aws_secret_access_key="sesame",  # type: ignore[arg-type]  # noqa: S106
        aws_session_token="token-sesame",  # type: ignore[arg-type]  # noqa: S106
    )

    assert repr(endpoint) == (
        "Endpoint(url='http://db', region='eu-central-1', access_key_id='key-id', secret_access_key='***',"
        " session_token='***', profile=None)"
    )
    for each in (endpoint, settings, settings.endpoint, [endpoint], {"settings": settings}):
        assert "sesame" not in f"{each!r} {each}"
    assert settings.endpoint.session_token == "token-sesame"  # noqa: S105


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"access_key_id": "a"}, "endpoint.secret_access_key"),
        ({"secret_access_key": "a"}, "endpoint.access_key_id"),
        ({"session_token": "a"}, "endpoint.session_token"),
        ({"profile": "a", **KEYS}, "endpoint.profile"),
        ({"profile": ""}, "endpoint.profile"),
        ({"region": 7}, "endpoint.region"),
        ({"access_key_id": "a\n", "secret_access_key": "sesame"}, "endpoint.access_key_id"),
        ({"access_key_id": "a", "secret_access_key": "sesame\n"}, "endpoint.secret_access_key"),
        ({**KEYS, "session_token": "sesame\r\nX: y"}, "endpoint.session_token"),
        ({**KEYS, "session_token": "sésame"}, "endpoint.session_token"),
    ],
)
def test_an_endpoint_that_contradicts_itself(given: dict[str, Any], field: str) -> None:
    """
    Refused where it is made, by the name of what to change.
    """
    with pytest.raises(InvalidInputError) as caught:
        Endpoint(**given)

    assert caught.value.field == field
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "not a url",
            "ftp://db",
            "http://",
            "http://[::1",
            "http://db:99999",
            "http://db:abc",
            "http://db:0",
            "db:8000",
        ),
        *("http://ex ample", f"http://{'a' * 70}.example", "http:///path"),
    ],
)
def test_an_address_that_is_none(url: str) -> None:
    """
    Said when the client is made, as what it is.
    """
    with pytest.raises(EndpointError):
        connect(Endpoint(url, REGION, **KEYS))


@pytest.mark.parametrize("region", ["eu central", "../x", "a" * 300, "eu-central-1\n"])
def test_a_region_that_is_none(region: str) -> None:
    """
    The same.
    """
    with pytest.raises(EndpointError):
        connect(Endpoint(None, region, **KEYS))


@pytest.mark.parametrize("make", [made_by_us, made_by_boto3], ids=["connect", "boto3"])
def test_a_token_of_the_environment_with_a_line_break(
    make: Callable[[str], Any], server: AnsweringServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Read from a file with what stands behind it: the error does not show it, and nothing was sent.
    """
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "sesame\nX: y")

    with pytest.raises(AccessDeniedError) as caught:
        appending(make(server.url))()

    assert "sesame" not in str(caught.value)
    assert server.asked == []


def test_a_port_beyond_all_ports_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An address that boto3 finds by itself is an operator's as well.
    """
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:99999")

    with pytest.raises(EndpointError):
        appending(connect(Endpoint(None, REGION, **KEYS)))()


def test_a_url_with_a_password() -> None:
    """
    It would be in every message, and DynamoDB has no use for it.
    """
    with pytest.raises(EndpointError) as caught:
        connect(Endpoint("http://me:sesame@db", REGION, **KEYS))

    assert "sesame" not in str(caught.value)


def test_a_session_token_and_a_profile_reach_the_client(home: Path) -> None:
    """
    Temporary credentials, and those of a named profile.
    """
    (home / "credentials").write_text("[mine]\naws_access_key_id = p\naws_secret_access_key = q")

    by_token = connect(Endpoint(None, REGION, "a", "b", "c"))
    by_profile = connect(Endpoint(None, REGION, profile="mine"))

    taken = [each._request_signer._credentials for each in (by_token, by_profile)]  # type: ignore[attr-defined]
    assert [(each.access_key, each.secret_key, each.token) for each in taken] == [("a", "b", "c"), ("p", "q", None)]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"AWS_SESSION_TOKEN": "t"}, "EVENTSTORE_AWS_SESSION_TOKEN"),
        ({"AWS_PROFILE": "p", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "EVENTSTORE_AWS_PROFILE"),
        ({"DYNAMODB_ENDPOINT_URL": "http://me:pw@db"}, "EVENTSTORE_DYNAMODB_ENDPOINT_URL"),
    ],
)
def test_settings_that_contradict_each_other(
    environment: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The message names the variable.
    """
    for name, value in environment.items():
        monkeypatch.setenv(f"EVENTSTORE_{name}", value)

    with pytest.raises(SettingsError, match=says):
        load()
