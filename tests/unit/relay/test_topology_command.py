"""`relay topology` on destinations that say what the test wrote down."""

import importlib
import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from eventstore import TableNames, init_tables
from eventstore.backoff import Backoff
from eventstore.errors import EventStoreError, SetUpError, TryLaterError
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from relay.destinations.index.elasticsearch_topology import ElasticsearchTopology
from relay.destinations.topology import Difference, Examination
from relay.operating.audit_trail import AuditTrail

command = importlib.import_module("relay.cli.topology")  # its name in the package is that of the command in it
MISSING = Difference("queue q", "is missing", "apply it", remedy="q")
WRONG = Difference("exchange e\x1b[31m", "has type 'direct'\nwanted is 'topic'", "delete it")


class ScriptedTopology:
    """Has the differences it was given; `make` fixes those with a remedy, unless told to refuse or to fail."""

    place = "amqp://there"

    def __init__(self, name: str, *differences: Difference, fails: Sequence[EventStoreError | None] = ()) -> None:
        self.name = name
        self.differences = list(differences)
        self.fails = list(fails)
        self.refuses: list[str] = []
        self.made = 0

    def examine(self) -> Examination:
        self._fail()
        return Examination(tuple(self.differences), ("a note",))

    def make(self, differences: Sequence[Difference]) -> list[str]:
        self._fail()
        self.made += 1
        if not self.refuses:
            self.differences = [each for each in differences if each.remedy is None]
        return self.refuses

    def _fail(self) -> None:
        error = self.fails.pop(0) if self.fails else None
        if error is not None:
            raise error


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    def invoke(topologies: Sequence[ScriptedTopology], *arguments: str):
        monkeypatch.setattr(command, "open_topologies", lambda _settings: tuple(topologies))
        monkeypatch.setattr(command.relay_settings, "load", lambda: None)
        return CliRunner().invoke(command.topology, arguments)

    return invoke


@pytest.mark.parametrize(
    ("topologies", "code"),
    [
        ([ScriptedTopology("bus"), ScriptedTopology("index")], 0),
        ([ScriptedTopology("bus"), ScriptedTopology("index", MISSING)], 1),
        ([ScriptedTopology("bus", MISSING), ScriptedTopology("index", fails=[SetUpError("no")])], 2),
        ([ScriptedTopology("bus", fails=[TryLaterError("no")]), ScriptedTopology("i", fails=[SetUpError("no")])], 3),
    ],
)
def test_exit_codes_of_a_check(run, topologies, code):
    """
    The worst that was met; a check never makes anything.
    """
    assert run(topologies, "check").exit_code == code
    assert [each.made for each in topologies] == [0, 0]


def test_what_was_made_and_what_is_left(run):
    """
    Each is told in words, and control characters in names do not steer a terminal.
    """
    bus, index = ScriptedTopology("bus", MISSING, WRONG), ScriptedTopology("index", MISSING)

    result = run([bus, index], "apply")

    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "made: queue q (is missing)",
        "made: queue q (is missing)",
        "bus at amqp://there: differs",
        "  exchange e\\x1b[31m has type 'direct'\\nwanted is 'topic'",
        "    -> delete it",
        "  note: a note",
        "index at amqp://there: as wanted",
        "  note: a note",
    ]


def test_what_the_server_refused(run):
    """
    It is told, and what is still missing is not called made.
    """
    bus = ScriptedTopology("bus", MISSING)
    bus.refuses = ["queue q: no room"]

    result = run([bus], "apply", "--json")

    assert result.exit_code == 1
    document = json.loads(result.output)
    assert document["status"] == "differs"
    assert document["data"]["deeds"] == ["refused: queue q: no room"]
    assert document["data"]["destinations"][0]["differences"] == [
        {"thing": "queue q", "problem": "is missing", "advice": "apply it", "mended_by": "apply"},
    ]


@pytest.mark.parametrize(
    "fails", [[TryLaterError("gone")], [None, TryLaterError("gone")], [None, None, TryLaterError("gone")]]
)
def test_a_server_that_goes_away(run, fails):
    """
    Before, in the middle, or after: what is known is told, nothing is called made, and the other destination is served.
    """
    bus, index = ScriptedTopology("bus", MISSING, fails=fails), ScriptedTopology("index", MISSING)

    result = run([bus, index], "apply")

    assert result.exit_code == 3
    assert result.stderr == "error: gone; see that the server is up, and that `relay config show` has its address\n"
    assert "bus at amqp://there: unknown" in result.stdout
    assert result.stdout.count("made: ") == 1
    assert index.differences == []


class LosingTopology(ElasticsearchTopology):
    """An index that has lost something."""

    place = "http://index"

    def __init__(self) -> None:
        self.accepted = False

    def examine(self) -> Examination:
        lost = Difference("index shop-events-2025.01", "is gone, which held 20 events", "restore it")
        return Examination(() if self.accepted else (lost,))

    def make(self, differences: Sequence[Difference]) -> list[str]:
        return []

    def accept_losses(self, keep: Callable[[list[str]], None]) -> list[str]:
        deeds = [] if self.accepted else ["accepted: index shop-events-2025.01 is gone, which held 20 events"]
        if deeds:
            keep(deeds)
        self.accepted = True
        return deeds


def test_losses_are_accepted_by_name_alone(run, monkeypatch):
    """`apply` leaves them, its option takes them, once, and the deed is kept with who did it."""
    database, runtime = InMemoryDynamoDB(), SystemRuntime()
    init_tables(database.client())
    store = SimpleNamespace(client=database.client(), tables=TableNames())
    desk = SimpleNamespace(store=store, runtime=runtime, backoff=Backoff())
    monkeypatch.setattr(command, "open_desk", lambda: desk)
    index = LosingTopology()

    assert run([index], "apply").exit_code == 1
    assert not index.accepted
    result = run([index], "apply", "--accept-losses", "--by", "Ann")
    assert result.exit_code == 0
    assert "accepted: index shop-events-2025.01 is gone" in result.output
    assert run([index], "apply", "--accept-losses").exit_code == 0

    (record,), _ = AuditTrail(store.client, store.tables, runtime, Backoff()).latest(10)
    assert (record.verb, record.by) == ("accept-losses", "Ann")
    assert "held 20 events" in record.about["losses"]
