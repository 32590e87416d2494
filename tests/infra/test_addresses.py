"""Ports, env file and folders: addresses that are free, stay, and reach whoever reads them."""

import json
import socket
from pathlib import Path

import pytest
from servers import envfile, layout, ports, state
from servers.errors import MissingError
from servers.layout import Layout
from servers.process import ProcessRecord


@pytest.fixture
def busy_port() -> object:
    """A port that somebody listens on."""
    with socket.create_server((ports.LOOPBACK, ports.pick([]))) as server:
        yield server.getsockname()[1]


def test_a_picked_port_is_free_and_out_of_the_way_of_outgoing_connections() -> None:
    """An outgoing connection must not be able to take a server's port while that server is down."""
    port = ports.pick([])

    assert ports.LOWEST <= port < ports.ephemeral_from()
    with socket.create_server((ports.LOOPBACK, port)):
        assert not ports.is_free(port)


def test_a_busy_port_is_never_picked(busy_port: int) -> None:
    """Where every candidate is in use the search ends, and says what to look at."""
    taken = [port for port in range(ports.LOWEST, busy_port + 1) if port != busy_port]

    with pytest.raises(MissingError, match="a free port on"):
        ports.pick(taken, below=busy_port + 1)


def test_remembered_ports_stay_and_busy_ones_are_replaced(busy_port: int) -> None:
    """A restart keeps addresses, unless somebody else has taken one meanwhile."""
    free = ports.pick([busy_port])

    assigned = ports.assign(["kept", "replaced", "new"], {"kept": free, "replaced": busy_port})

    assert assigned["kept"] == free
    assert assigned["replaced"] != busy_port
    assert len(set(assigned.values())) == 3


def test_the_env_file_is_read_back_as_written(tmp_path: Path) -> None:
    """Values with `=` in them and the comment on top survive the way through the file."""
    path = tmp_path / ".local/env"
    values = {"RELAY_RABBITMQ_URL": "amqp://guest:guest@127.0.0.1:5//", "EVENTSTORE_AWS_REGION": "a=b"}

    envfile.write(path, values)

    assert path.read_text(encoding="utf-8").splitlines()[1:] == [
        "RELAY_RABBITMQ_URL=amqp://guest:guest@127.0.0.1:5//",
        "EVENTSTORE_AWS_REGION=a=b",
    ]
    assert envfile.parse(path.read_text(encoding="utf-8")) == values
    assert [entry.name for entry in path.parent.iterdir()] == ["env"]


@pytest.mark.parametrize("values", [{"A": "two\nlines"}, {"not a name": "x"}, {"A": " padded "}])
def test_what_cannot_be_one_line_is_refused(values: dict[str, str]) -> None:
    """A value that would come back different is never written."""
    with pytest.raises(ValueError, match="cannot be written"):
        envfile.render(values)


def test_two_clones_share_downloads_and_nothing_else(tmp_path: Path) -> None:
    """Each clone has its own data folder, also where both clones are called the same."""
    one = layout.layout_for(tmp_path / "a/main/.local")
    two = layout.layout_for(tmp_path / "b/main/.local")

    assert one.clone_id.startswith("main-")
    assert one.clone_id != two.clone_id
    assert one.data_dir != two.data_dir
    assert one.cache_dir == two.cache_dir
    assert layout.layout_for(tmp_path / "a/main/.local") == one


def test_without_root_data_and_downloads_go_below_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The XDG folders win where they are named, the home folder serves otherwise."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    for name in ("EVENTSTORE_SERVERS_DATA", "EVENTSTORE_SERVERS_CACHE", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))

    found = layout.layout_for(tmp_path / "clone/.local")

    assert found.data_dir.parent == tmp_path / ".local/state/eventstore-servers"
    assert found.cache_dir == tmp_path / "caches/eventstore-servers"


def test_state_is_remembered_and_found_beside_the_data(layout: Layout) -> None:
    """Ports and processes survive, also when the clone is deleted and made again at its place."""
    record = ProcessRecord(pid=7, started_ticks=42, boot_id="b", token="t", command="java")  # noqa: S106 - a mark, no password
    saved = state.State(engine="native", ports={"dynamodb": 21000}, processes={"dynamodb": [record]})

    state.save(layout, saved)
    assert state.load(layout) == saved
    assert state.clone_of(layout.data_dir) == layout.state_dir

    layout.state_file.unlink()
    assert state.load(layout) == saved


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"format": 2})])
def test_state_that_cannot_be_read_counts_as_none(layout: Layout, text: str) -> None:
    """A file cut short by a full disk, or of a version to come, does not stop a command."""
    layout.state_file.parent.mkdir(parents=True)
    layout.state_file.write_text(text, encoding="utf-8")

    assert state.load(layout) == state.State()
