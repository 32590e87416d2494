"""The real supervisor on a real server: up, up again, a crash, an outage, down."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from servers import envfile
from servers.errors import EXIT_CANNOT_START, EXIT_FINE, EXIT_NOT_ALL_UP, EXIT_USAGE
from servers.process import read_stat
from servers.ready import dynamodb_unready

from tests.support.waiting import until


def status(supervisor: Any) -> dict[str, Any]:
    """Return what the supervisor says of DynamoDB Local."""
    answer = json.loads(supervisor("status", "--json", "--only", "dynamodb").stdout)
    (server,) = answer["servers"]
    assert answer["up"] == server["up"]
    found: dict[str, Any] = server
    return found


def addresses(supervisor: Any) -> dict[str, str]:
    """Bring DynamoDB Local up and return the env file's lines."""
    done = supervisor("up", "--only", "dynamodb")
    if done.returncode == EXIT_CANNOT_START and "CI" not in os.environ:
        pytest.skip(f"DynamoDB Local cannot be started here: {done.stderr.strip()}")
    assert done.returncode == EXIT_FINE, done.stderr
    env_file = Path(done.stderr.rpartition("addresses are in ")[2].splitlines()[0])  # a hint about leftovers may follow
    return envfile.parse(env_file.read_text(encoding="utf-8"))


@pytest.mark.servers
@pytest.mark.timeout(600)  # three starts of a real server
def test_a_server_lives_crashes_comes_back_and_ends(supervisor: Any) -> None:
    """Address and readiness hold through a second `up`, a SIGKILL and an outage, and `down` leaves no process."""
    assert supervisor("status", "--only", "dynamodb").returncode == EXIT_NOT_ALL_UP

    env = addresses(supervisor)
    port = int(env["EVENTSTORE_DYNAMODB_ENDPOINT_URL"].rpartition(":")[2])
    assert dynamodb_unready(port) is None
    first = status(supervisor)
    assert first["up"]

    # Nothing to do: the same process, the same address.
    assert addresses(supervisor) == env
    assert status(supervisor)["pids"] == first["pids"]

    # A crash is seen, and repaired by the next `up`.
    os.kill(first["pids"][0], signal.SIGKILL)
    assert supervisor("status", "--only", "dynamodb").returncode == EXIT_NOT_ALL_UP
    assert addresses(supervisor) == env
    second = status(supervisor)
    assert second["up"]
    assert second["pids"] != first["pids"]

    # An outage keeps the address, so that clients can be watched while it lasts.
    assert supervisor("stop", "--kill", "dynamodb").returncode == EXIT_FINE
    assert status(supervisor)["reason"] == "stopped"
    until(lambda: "ConnectionRefusedError" in (dynamodb_unready(port) or ""), "nobody listens", timeout_seconds=5.0)
    assert supervisor("start", "dynamodb").returncode == EXIT_FINE
    assert dynamodb_unready(port) is None
    third = status(supervisor)

    assert supervisor("down").returncode == EXIT_FINE
    # A zombie waits for the machine's first process, and runs no more.
    left = [stat for pid in third["pids"] if (stat := read_stat(pid)) is not None and stat.state != "Z"]
    assert left == []
    until(lambda: "ConnectionRefusedError" in (dynamodb_unready(port) or ""), "nobody listens", timeout_seconds=5.0)


def test_an_unknown_server_is_a_mistake_of_the_caller(supervisor: Any) -> None:
    """The message lists the names there are, and the exit code tells a mistake from a failure."""
    done = supervisor("up", "--only", "dynamo")

    assert done.returncode == EXIT_USAGE
    assert done.stderr == "error: no such server: dynamo; there are dynamodb, elasticsearch, rabbitmq\n"


def test_a_download_that_has_no_place_to_go_is_an_error_and_no_traceback(supervisor: Any, tmp_path: Path) -> None:
    """`up` says what went wrong in a line and exits with 3."""
    (tmp_path / "file").touch()
    done = supervisor("up", "--only", "elasticsearch", environment={"EVENTSTORE_SERVERS_CACHE": str(tmp_path / "file")})

    assert done.returncode == EXIT_CANNOT_START
    assert "error: [Errno 17] File exists" in done.stderr
    assert "Traceback" not in done.stderr
