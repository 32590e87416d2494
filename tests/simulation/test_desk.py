"""Command lines run as parts of simulated processes: each prints for itself, and a defect of one ends the run."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from eventstore.dynamodb import tables
from eventstore.dynamodb.table_names import TableNames
from eventstore.testing import InMemoryDynamoDB
from tests.simulation.desk import Answer, CommandLines
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.ledger import Ledger, Violation
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.scheduler import Process, Scheduler


class Way:
    """A way to DynamoDB on which the baton passes on."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def carry(self, operation: str, _request: Any, effect: Any) -> Any:
        self._scheduler.step(operation)
        return effect()


def run(*commands: tuple[str, ...]) -> list[Answer]:
    """Run commands at the same time, each as a process of its own."""
    scheduler = Scheduler("desk", stickiness=0.0, steps_max=10_000)
    ledger = Ledger(scheduler)
    world = SimulatedRuntime(scheduler, Process("world"), "desk")
    database = InMemoryDynamoDB(clock=world, lock=nullcontext(), passage=cast("Any", Way(scheduler)))
    passage = cast("SimulatedPassage", SimpleNamespace(database=database))
    lines = CommandLines(ledger, scheduler, passage, lambda _: pytest.fail("no relay is asked for"), 2)
    answers: dict[int, Answer] = {}

    def command(number: int) -> None:
        runtime = SimulatedRuntime(scheduler, Process(f"operator-{number}"), "desk")
        task = scheduler.spawn(
            "command", runtime.process, lambda: keep(number, lines.relay(runtime, *commands[number]))
        )
        while not task.is_done:
            scheduler.wait("command", task.ends, 60.0, lambda: task.is_done)

    def keep(number: int, answer: Answer) -> None:
        answers[number] = answer

    def body() -> None:
        tables.init(database.client(), TableNames(), world, protect=False)
        parts = [
            world.spawn(f"asks-{number}", lambda number=number: command(number)) for number in range(len(commands))
        ]
        for part in parts:
            part.join(600.0)

    with lines.watching():
        scheduler.run(body)
    return [answers[number] for number in range(len(commands))]


def test_two_commands_at_once_print_for_themselves() -> None:
    """
    Each on a thread of its own, one step after another.
    """
    status, parked = run(("status", "--json"), ("parked", "list", "--json"))

    assert (status.code, status.data["outbox"]["rows"]) == (0, 0)
    assert (parked.code, parked.data) == (0, {"rows": 0, "groups": []})


def test_arguments_are_read_as_a_person_gives_them() -> None:
    """
    A mistake is the command's to complain of.
    """
    (answer,) = run(("gaps", "--older-than", "never"))

    assert answer.code == 2
    assert "never" in answer.complaints


def test_a_defect_of_a_command_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A person would be asked to report it.
    """
    monkeypatch.setattr("relay.operating.gaps.find", lambda *_: 1 / 0)

    with pytest.raises(Violation, match="a command does not fail"):
        run(("gaps",))
