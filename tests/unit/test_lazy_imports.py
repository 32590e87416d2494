"""What is loaded when: importing the library is cheap, and each command loads only what it needs."""

import json
import os
import subprocess
import sys

import click
import pytest
from click.shell_completion import BashComplete

import eventstore.cli
import relay.cli
import relay.cli.parked
from eventstore.cli.lazy_group import Lazy, LazyGroup

CLIENTS = {"boto3", "elasticsearch", "kombu", "prometheus_client"}
HEAVY = CLIENTS | {
    *("amqp", "click", "elastic_transport", "pydantic", "pydantic_settings", "rich", "structlog", "yaml"),
    *("eventstore.append.bulk", "eventstore.search.event_search", "eventstore.timeline.reader"),
    *("eventstore.repository", "eventstore.schema.json_schema", "eventstore.verify"),
}

COMMANDS = [
    ("eventstore dev-server", []),
    ("eventstore init", ["pydantic"]),
    ("eventstore append", []),
    ("relay pause", []),
    ("relay resume", []),
    ("relay parked drop", []),
    ("relay parked show", []),
    ("eventstore show", ["rich"]),
    ("eventstore tail", []),
    ("eventstore import", []),
    ("eventstore search", []),
    ("eventstore stats", []),
    ("eventstore verify", []),
    ("eventstore schema check", []),
    ("relay status", []),
    ("relay gaps", []),
    ("relay parked list", []),
    ("relay parked release", []),
    ("relay audit list", []),
    ("relay config show", []),
    ("relay demo", []),
    ("relay topology check", ["elasticsearch", "kombu"]),
    ("relay topology apply", []),
    ("relay replay", []),
    ("relay run", ["prometheus_client"]),
]
"""In this order in one process: what each command loads that those before it did not."""

LOAD_ALL = """
import contextlib, io, json, sys
import eventstore.cli, relay.cli

programs, seen, found = {"eventstore": eventstore.cli.main, "relay": relay.cli.main}, set(), []
for line in json.loads(sys.argv[1]):
    program, *words = line.split()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        programs[program].main([*words, "--help"], program, standalone_mode=False)
    loaded = set(json.loads(sys.argv[2])) & set(sys.modules)
    found.append([line, sorted(loaded - seen)])
    seen |= loaded
print(json.dumps(found))
"""


def run(program: str, *arguments: str, **environment: str) -> str:
    """Run a program in a fresh interpreter and return what it printed."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env={**os.environ, **environment}
    )
    return done.stdout


def loaded_by(program: str) -> set[str]:
    """Return the modules that a program loads."""
    return set(run(f"{program}\nimport sys\nprint(*sys.modules, sep='\\n')").split("\n"))


def test_importing_the_library_loads_nothing() -> None:
    """
    `import eventstore` loads no other module of its own, and no library.
    """
    loaded = loaded_by("import eventstore")

    assert {name for name in loaded if name.startswith("eventstore.")} == set()
    assert loaded & HEAVY == set()


def test_a_program_that_appends_and_loads_has_no_more_than_it_needs() -> None:
    """
    The names that appends and loads need bring no client library, and none of the store's other parts.
    """
    loaded = loaded_by(
        "from eventstore import AggregateRef, EventStore, NewEvent, StoreOptions, WrongExpectedVersionError, connect"
    )

    assert "eventstore.append.appender" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("name", ["eventstore", "relay"])
def test_help_loads_no_command(name: str) -> None:
    """
    The list of commands is printed without the commands, and without what they need.
    """
    loaded = loaded_by(f"from {name}.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass")

    assert "click" in loaded
    assert loaded & (HEAVY - {"click"}) == set()
    assert {each for each in loaded if each.startswith("relay.cli.")} == set()
    assert loaded & {"eventstore.cli.append", "eventstore.cli.show", "eventstore.store"} == set()


def test_each_command_loads_the_libraries_that_it_needs() -> None:
    """
    Only what talks to bus or index loads their clients, only the daemon the metrics, and none boto3 before it connects.
    """
    watched = [*CLIENTS, "pydantic", "rich"]

    found = run(LOAD_ALL, json.dumps([line for line, _ in COMMANDS]), json.dumps(watched))

    assert json.loads(found) == [[line, new] for line, new in COMMANDS]


@pytest.mark.parametrize("package", [eventstore.cli, relay.cli, relay.cli.parked], ids=lambda value: value.__name__)
def test_listed_help_is_the_command_s_own(package) -> None:
    """
    Each command is where its list says, under its name there, and its help begins as the list has it.
    """
    commands = {name: lazy.load() for name, lazy in package._COMMANDS.items()}

    assert {name: command.name for name, command in commands.items()} == {name: name for name in commands}
    assert {name: lazy.help for name, lazy in package._COMMANDS.items()} == {
        name: command.get_short_help_str(1_000) for name, command in commands.items()
    }


def test_every_command_is_watched() -> None:
    """
    Who adds a command says above what it loads.
    """

    def lines_of(name: str, group: click.Group) -> list[str]:
        lines = []
        for each, command in group.commands.items():
            is_group = isinstance(command, click.Group)
            lines += lines_of(f"{name} {each}", command) if is_group else [f"{name} {each}"]
        return lines

    every = [*lines_of("eventstore", eventstore.cli.main), *lines_of("relay", relay.cli.main)]

    assert sorted(line for line, _ in COMMANDS) == sorted(every)


def completed(group: click.Group, words: list[str], incomplete: str) -> list[str]:
    """Return what a shell would offer."""
    return [item.value for item in BashComplete(group, {}, "it", "_IT").get_completions(words, incomplete)]


def test_completion_imports_nothing_that_is_not_named() -> None:
    """
    A shell is offered commands and options of a group whose commands cannot even be imported.
    """
    group = LazyGroup(name="it", lazy={"stop": Lazy("no.where:stop", "Stop it."), "start": Lazy("no.where:start", "")})

    assert completed(group, [], "") == ["start", "stop"]
    assert completed(group, [], "sto") == ["stop"]
    assert completed(group, [], "--") == ["--help"]


def test_completion_goes_into_groups_and_commands() -> None:
    """
    Behind a group its commands are offered, behind a command its options.
    """
    assert completed(relay.cli.main, ["parked"], "") == ["drop", "list", "release", "show"]
    assert completed(relay.cli.main, ["parked", "list"], "--exa") == ["--examples"]
    assert completed(relay.cli.main, [], "re") == ["replay", "resume"]


def test_a_shell_gets_completions_from_the_program_itself() -> None:
    """
    The protocol of shells reaches the group through the program's frame.
    """
    printed = run(
        "from relay.cli import main; main(prog_name='relay')",
        _RELAY_COMPLETE="bash_complete",
        COMP_WORDS="relay parked re",
        COMP_CWORD="2",
    )

    assert printed == "plain,release\n"


def test_a_command_can_be_replaced_and_removed() -> None:
    """
    The commands of a group are a mapping like any other: asking for a name imports nothing, and what is set is listed.
    """
    group = LazyGroup(name="it", lazy={"stop": Lazy("no.where:stop", "Stop it.")})

    assert "stop" in group.commands
    group.commands["stop"] = click.Command("stop", help="Stop it at once.")
    help_now = group.get_help(click.Context(group))
    del group.commands["stop"]

    assert "\n  stop  Stop it at once." in help_now
    assert list(group.commands) == []
