"""Containers: the compose file is complete and valid, and the supervisor asks an engine for the right thing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import compose, engine, envfile, state
from servers.compose import Compose
from servers.errors import CommandError, MissingError, UsageError
from servers.layout import Layout
from servers.native import Native
from servers.progress import Progress
from servers.services.catalogue import SERVICES, select

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
TOOL_TIMEOUT_SECONDS = 60.0


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of the compose file."""
    content = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))
    loaded: dict[str, Any] = content["services"]
    return loaded


def run_tool(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a checker that lives beside this interpreter."""
    program = Path(sys.executable).with_name(command[0])
    return subprocess.run(
        [str(program), *command[1:]], capture_output=True, text=True, timeout=TOOL_TIMEOUT_SECONDS, check=False
    )


def test_the_compose_file_fits_the_compose_specification() -> None:
    """The schema is the specification's own, as check-jsonschema carries it."""
    checked = run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE))

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_compose_file_with_a_misspelt_key_is_refused(tmp_path: Path) -> None:
    """The check above can fail."""
    broken = tmp_path / "docker-compose.yml"
    broken.write_text("services:\n  a:\n    image: a:1\n    healthchek: {}\n", encoding="utf-8")

    checked = run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(broken))

    assert checked.returncode != 0
    assert "healthchek" in checked.stdout


def test_the_dockerfile_has_no_lint() -> None:
    """Every rule of hadolint is on."""
    checked = run_tool("hadolint", "--failure-threshold", "style", str(DOCKERFILE))

    assert checked.returncode == 0, checked.stdout


def test_the_dockerfile_builds_in_one_stage_and_runs_in_another_without_root() -> None:
    """The build tools stay behind, and the user is a number that is not 0."""
    lines = DOCKERFILE.read_text(encoding="utf-8").splitlines()
    stages = [index for index, line in enumerate(lines) if line.startswith("FROM ")]

    assert len(stages) == 2
    assert [line.split()[1] for line in lines[stages[1] :] if line.startswith("USER ")] == ["10001"]
    assert not [line for line in lines[stages[1] :] if "pip" in line]


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    """A tag names one version; only the image that is built here is called local."""
    images = {name: service["image"] for name, service in services.items()}

    assert images == {
        "dynamodb": "amazon/dynamodb-local:3.3.1",
        "rabbitmq": "rabbitmq:3.10.25",
        "elasticsearch": "elasticsearch:8.19.3",
        "init": "eventstore:local",
        "relay": "eventstore:local",
    }


def test_containers_and_processes_run_the_same_versions(services: dict[str, Any]) -> None:
    """The broker may differ in its last number, since Debian and the image's makers stopped at different ones."""
    for service in SERVICES:
        tag = services[service.name]["image"].partition(":")[2]
        digits = 2 if service.name == "rabbitmq" else 3
        assert tag.split(".")[:digits] == service.version.split(".")[:digits]


def test_every_published_port_is_on_loopback_and_can_be_chosen(services: dict[str, Any]) -> None:
    """Nothing is published to the network, and two clones can choose different ports."""
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}

    assert published == {
        "dynamodb": ["127.0.0.1:${EVENTSTORE_DYNAMODB_PORT:-8000}:8000"],
        "rabbitmq": ["127.0.0.1:${EVENTSTORE_RABBITMQ_PORT:-5672}:5672"],
        "elasticsearch": ["127.0.0.1:${EVENTSTORE_ELASTICSEARCH_PORT:-9200}:9200"],
    }
    variables = set(compose.port_variables({name: 1 for service in SERVICES for name in service.port_names}))
    assert variables == {port[0].partition("${")[2].partition(":")[0] for port in published.values()}


def test_every_server_has_a_health_check_and_is_waited_for(services: dict[str, Any]) -> None:
    """The relay starts on servers that work and on tables that are there."""
    for service in SERVICES:
        assert services[service.name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert services["init"]["depends_on"] == {"dynamodb": {"condition": "service_healthy"}}
    assert services["relay"]["depends_on"] == {
        "init": {"condition": "service_completed_successfully"},
        "rabbitmq": {"condition": "service_healthy"},
        "elasticsearch": {"condition": "service_healthy"},
    }


def test_the_one_shot_is_waited_for_by_a_service_that_always_starts(services: dict[str, Any]) -> None:
    """Otherwise `up --wait` reports the container that has done its work as a failure."""
    always = [service for service in services.values() if "profiles" not in service]
    waits = [service.get("depends_on", {}).get("init", {}).get("condition") for service in always]

    assert "service_completed_successfully" in waits
    assert services["init"]["restart"] == "no"
    assert services["relay"]["profiles"] == ["relay"]


def test_named_volumes_are_declared(services: dict[str, Any]) -> None:
    """Data lives in volumes with names, never in a folder of the clone."""
    declared = set(yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["volumes"])
    used = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", [])}

    assert used == declared == {"rabbitmq-data", "elasticsearch-data"}


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that writes down how it was called; returns the file."""
    calls = tmp_path / "calls"
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        f"with open({str(calls)!r}, 'a', encoding='utf-8') as file:\n"
        "    ports = {name: value for name, value in os.environ.items() if name.endswith('_PORT')}\n"
        "    file.write(json.dumps([sys.argv[1:], ports]) + '\\n')\n"
        "sys.exit(int(os.environ.get('FAKE_DOCKER_EXIT', '0')))\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("servers.install.command.SYSTEM_FOLDERS", ())
    monkeypatch.delenv(engine.CHOICE_VARIABLE, raising=False)
    return calls


def read_calls(calls: Path) -> list[Any]:
    """Return arguments and port variables of each call."""
    return [json.loads(line) for line in calls.read_text(encoding="utf-8").splitlines()]


def test_an_engine_that_answers_is_used(docker: Path, layout: Layout) -> None:
    """Its service and its compose command were both asked."""
    chosen = engine.choose(layout, Progress())

    assert isinstance(chosen, Compose)
    assert [arguments for arguments, _ in read_calls(docker)] == [["info"], ["compose", "version"]]


def test_an_engine_that_does_not_answer_is_passed_over(
    docker: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client without its service is as good as none, unless it was asked for by name."""
    monkeypatch.setenv("FAKE_DOCKER_EXIT", "1")

    assert isinstance(engine.choose(layout, Progress()), Native)
    monkeypatch.setenv(engine.CHOICE_VARIABLE, "docker")
    with pytest.raises(MissingError, match="docker"):
        engine.choose(layout, Progress())
    monkeypatch.setenv(engine.CHOICE_VARIABLE, "dokcer")
    with pytest.raises(UsageError, match="dokcer"):
        engine.choose(layout, Progress())


def test_up_asks_for_everything_and_writes_the_published_ports(docker: Path, layout: Layout) -> None:
    """One compose project per clone, ports chosen by us, and the same env file as without an engine."""
    Compose(layout, Progress(), "docker").up(SERVICES, everything=True)

    ((arguments, ports),) = read_calls(docker)
    assert arguments == [
        *["compose", "--project-name", "eventstore-test-0123456789", "--file", str(COMPOSE_FILE)],
        *["up", "--detach", "--wait", "--wait-timeout", "300", "--build"],
    ]
    values = envfile.parse(layout.env_file.read_text(encoding="utf-8"))
    assert values["EVENTSTORE_DYNAMODB_ENDPOINT_URL"] == f"http://127.0.0.1:{ports['EVENTSTORE_DYNAMODB_PORT']}"
    assert values["RELAY_RABBITMQ_URL"] == f"amqp://guest:guest@127.0.0.1:{ports['EVENTSTORE_RABBITMQ_PORT']}//"
    assert values["RELAY_ELASTICSEARCH_URL"] == f"http://127.0.0.1:{ports['EVENTSTORE_ELASTICSEARCH_PORT']}"


def test_servers_stay_with_the_engine_that_started_them(docker: Path, layout: Layout) -> None:
    """A later command asks the same engine, on the same ports, until all is down."""
    first = Compose(layout, Progress(), "docker")
    first.up(select(["dynamodb"]), everything=False)
    second = engine.choose(layout, Progress())
    assert isinstance(second, Compose)
    second.stop(select(["rabbitmq"]), kill=True)
    second.down(SERVICES, wipe=False)

    calls = read_calls(docker)
    assert [arguments[5:] for arguments, _ in calls] == [
        ["up", "--detach", "--wait", "--wait-timeout", "300", "--no-deps", "dynamodb"],
        ["kill", "rabbitmq"],
        ["--profile", "relay", "down"],
    ]
    assert calls[0][1] == calls[1][1] == calls[2][1]
    assert state.load(layout).engine == ""
    assert not layout.env_file.exists()


def test_a_refusal_of_the_engine_is_shown(docker: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the command and how it ended."""
    monkeypatch.setenv("FAKE_DOCKER_EXIT", "17")

    with pytest.raises(CommandError, match="exit code 17"):
        Compose(layout, Progress(), "docker").up(SERVICES, everything=True)
    assert not layout.env_file.exists()
