"""Results on standard output, everything else on standard error, whatever the two are."""

import pytest

pytestmark = pytest.mark.acceptance

COMMANDS = {
    "eventstore": ["init", "append", "show", "tail"],
    "relay": ["run", "status", "replay", "demo"],
}


def test_help(bare):
    """
    Every command explains itself and its exit codes, also where there are no settings.
    """
    commands = {name: [name, "--help"] for name in COMMANDS}
    commands |= {f"{name} {each}": [name, each, "--help"] for name, own in COMMANDS.items() for each in own}

    found = bare.run_all(commands)

    for name, finished in found.items():
        assert (finished.code, finished.err) == (0, ""), name
        assert finished.out.startswith(f"Usage: {name} ")
        assert "Exit codes: 0 " in " ".join(finished.out.split()), name


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


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('exec "$@" >&-', 0),
        ('exec "$@" <&- >&- 2>&-', 0),
        ('exec "$@" 2>&-', 0),
        ('exec "$@" 2>/dev/full', 0),
        ('exec "$@" >/dev/full', 4),
    ],
)
def test_streams_that_are_closed_or_full(bare, line, code):
    """
    A closed stream loses what is said there, and nothing else; what cannot be written is an error in one line.
    """
    finished = bare.shell(line, "relay", "demo", "--limit", "3")

    assert finished.code == code
    if code:
        assert finished.error == "[Errno 28] No space left on device"


@pytest.mark.parametrize("columns", ["0", "20", "400"])
def test_no_terminal_has_no_width(bare, columns):
    """
    Where the output is a file or a pipe, COLUMNS changes nothing: no line is wrapped or lost.
    """
    finished = bare.with_settings(COLUMNS=columns).run("relay", "demo", "--limit", "3")

    lines = finished.out.splitlines()
    assert lines[0].strip() == "main job on the embedded stack: warehouse scenario, seed 1"
    assert [cell.strip() for cell in lines[2].split("│")[1:-1]] == ["commits", "3"]
    assert lines[-1] == "every event arrived, in order. Next: make demo STACK=real"
