"""`python -m tests [TIER…]`: all tests, or those of some tiers, and how long each tier took."""

# ruff: noqa: T201 - a command talks to a person

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

NO_TESTS = 5
"""What pytest ends with when nothing was selected."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Some of the tests.

    Attributes:
        name: In the table at the end.
        arguments: What pytest is told.
    """

    name: str
    arguments: Sequence[str]


TIERS = (
    # Each test has its own world, so all cores may work; whoever is done takes over from others.
    Tier(
        "without servers",
        ("-n", "auto", "--dist", "worksteal", "-m", "not servers", "--ignore", "tests/simulation", "tests"),
    ),
    # It spreads its seeds over all cores by itself.
    Tier("simulation", ("tests/simulation",)),
    # Deadlines are tested against real servers and processes: one at a time, so that none waits for another.
    Tier("with servers", ("-m", "servers", "tests")),
)


def main(names: Sequence[str]) -> int:
    """Run the tiers, also after one has failed; return 0 when all tests passed."""
    known = [tier.name for tier in TIERS]
    if wrong := [name for name in names if name not in known]:
        print(f"no tier is called {', '.join(wrong)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    took: list[tuple[str, float, int]] = []
    # Processes that share a tier must agree on the order of sets, in which some tests get their names.
    environment = {"PYTHONHASHSEED": str(random.randrange(1, 1 << 32)), **os.environ}
    for tier in (tier for tier in TIERS if not names or tier.name in names):
        print(f"\n{tier.name} (PYTHONHASHSEED={environment['PYTHONHASHSEED']})", flush=True)
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", *tier.arguments]
        code = subprocess.run(command, env=environment, check=False).returncode
        took.append((tier.name, time.monotonic() - began, 0 if code == NO_TESTS else code))
    print()
    for name, seconds, code in took:
        print(f"{name:<16} {seconds:>6.0f} s  {'passed' if code == 0 else f'FAILED (pytest ended with {code})'}")
    print(f"{'in all':<16} {sum(seconds for _, seconds, _ in took):>6.0f} s")
    return max(code for _, _, code in took)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
