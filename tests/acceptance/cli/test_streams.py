"""Results on standard output, everything else on standard error, whatever the two are."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from eventstore.cli import main as eventstore
from relay.cli import main as relay
from tests.acceptance.cli.commands import end_all

pytestmark = pytest.mark.acceptance

COMMANDS = {
    "eventstore": ["init", "append", "import", "show", "tail", "search", "stats", "verify", "schema", "dev-server"],
    "relay": [
        "run",
        "status",
        "gaps",
        "parked",
        "replay",
        "pause",
        "resume",
        "audit",
        "topology",
        "config",
        "demo",
    ],
}
PROGRAMS = {"eventstore": eventstore, "relay": relay}


def lines_of(name: str, group: click.Group) -> Iterator[str]:
    """Yield every command of a program as it is typed, those of groups included."""
    for each, command in group.commands.items():
        yield f"{name} {each}"
        if isinstance(command, click.Group):
            yield from lines_of(f"{name} {each}", command)


EVERY_LINE = [line for name, program in PROGRAMS.items() for line in lines_of(name, program)]


def test_help(bare):
    """
    Both commands explain themselves, their exit codes and what they can do, also where there are no settings.
    """
    found = bare.run_all({name: [name, "--help"] for name in COMMANDS})

    for name, finished in found.items():
        assert (finished.code, finished.err) == (0, "")
        assert finished.out.startswith(f"Usage: {name} ")
        assert "Exit codes: 0 fine" in finished.out
        assert [each for each in COMMANDS[name] if f"\n  {each} " not in finished.out] == []


@pytest.mark.parametrize("line", EVERY_LINE)
def test_help_of_each_command(line):
    """
    Each of them has help that says what its exit codes mean.
    """
    program, *command = line.split()

    result = CliRunner().invoke(PROGRAMS[program], [*command, "--help"], prog_name=program)

    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: {line} ")
    assert "Exit codes: 0 " in " ".join(result.output.split())


def test_every_command_is_known_to_these_tests():
    """
    Who adds a command adds it here.
    """
    assert {name: sorted(program.commands) for name, program in PROGRAMS.items()} == {
        name: sorted(own) for name, own in COMMANDS.items()
    }
    assert "eventstore schema check" in EVERY_LINE


def test_a_defect(monkeypatch):
    """
    What nobody has thought of is one line that asks for a report and says where it was; the exit code is 70.
    """

    def breaks():
        raise KeyError("what\x1b[31m")

    monkeypatch.setitem(eventstore.commands, "stats", click.Command("stats", callback=breaks))
    result = CliRunner().invoke(eventstore, ["stats"])

    assert result.exit_code == 70
    assert result.output.startswith("error: a defect of this software; please report it: KeyError: 'what")
    assert result.output.endswith(f" at test_streams.py:{breaks.__code__.co_firstlineno + 1}\n")
    assert "\x1b" not in result.output


def test_a_slip_of_the_keyboard(bare):
    """
    An unknown command or option is one line on standard error that says where help is; no command at all is help.
    """
    found = bare.run_all(
        {
            "command": ["relay", "replai"],
            "option": ["relay", "status", "--jsn"],
            "choice": ["relay", "demo", "--json", "--stack", "cloud"],
            "none": ["eventstore"],
        },
    )

    assert {finished.code for finished in found.values()} == {2}
    assert found["command"].error.startswith("No such command 'replai'")
    assert found["command"].error.endswith("Try `relay --help`")
    assert found["option"].error.endswith("Try `relay status --help`")
    assert found["choice"].document["diagnostics"] == [found["choice"].error]
    assert found["none"].err.startswith("Usage: eventstore ")
    assert [found[name].out for name in ("command", "option", "none")] == ["", "", ""]


def test_streams_that_are_closed_or_full(bare):
    """
    A closed stream loses what is said there, and nothing else; what cannot be written is an error in one line.
    """
    lines = {
        "no output": 'exec "$@" >&-',
        "nothing": 'exec "$@" <&- >&- 2>&-',
        "errors full": 'exec "$@" 2>/dev/full',
        "output full": 'exec "$@" >/dev/full',
    }

    found = end_all({name: bare.shell(line, "relay", "demo", "--limit", "3") for name, line in lines.items()})

    codes = {name: finished.code for name, finished in found.items()}
    assert codes == {**dict.fromkeys(lines, 0), "output full": 4}
    assert found["output full"].error == "[Errno 28] No space left on device"
    assert found["errors full"].out.endswith("every event arrived, in order. Next: make demo STACK=real\n")
    assert found["no output"].err == ""


def test_no_terminal_has_no_width(bare):
    """
    Where the output is a file or a pipe, COLUMNS changes nothing: no line is wrapped or lost.
    """
    widths = ("0", "20")

    found = end_all(
        {width: bare.with_settings(COLUMNS=width).start("relay", "demo", "--limit", "3") for width in widths}
    )

    for finished in found.values():
        lines = finished.out.splitlines()
        assert lines[0].strip() == "main job on the embedded stack: warehouse scenario, seed 1"
        assert [cell.strip() for cell in lines[2].split("│")[1:-1]] == ["commits", "3"]
        assert lines[-1] == "every event arrived, in order. Next: make demo STACK=real"
