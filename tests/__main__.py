"""`python -m tests [TIER…]`: all tests, or those of some tiers; how long each tier took, and the slowest tests."""

# ruff: noqa: T201 - a command talks to a person

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.running import servers
from tests.running.tiers import TIERS, Tier
from tests.running.times import Took, cases_of, table

NO_TESTS = 5
"""What pytest ends with when nothing was selected."""

WRONG_NAME = 2


def main(names: Sequence[str]) -> int:
    """Run the tiers, also after one has failed; return 0 when all tests passed."""
    known = [tier.name for tier in TIERS]
    if wrong := [name for name in names if name not in known]:
        print(f"no tier is called {', '.join(wrong)}; there are: {', '.join(known)}", file=sys.stderr)
        return WRONG_NAME
    tiers = [tier for tier in TIERS if not names or tier.name in names]
    # Processes that share a tier must agree on the order of sets, in which some tests get their names.
    environment = {"PYTHONHASHSEED": str(random.randrange(1, 1 << 32)), **os.environ}
    # Without compiled modules every worker of every tier would rewrite all assertions again, for most of 10 s.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    began, took = time.monotonic(), list[Took]()
    with ExitStack() as stack:
        up = stack.enter_context(servers.starting()) if any(tier.needs_servers for tier in tiers) else None
        for tier in tiers:
            print(f"\n{tier.name} (PYTHONHASHSEED={environment['PYTHONHASHSEED']})", flush=True)
            if tier.needs_servers and up is not None and not up.wait():
                took.append(Took(tier.name, 0.0, f"FAILED (the servers did not start: {up.code})"))
            else:
                took.append(run(tier, environment))
    print(f"\n{table(took, time.monotonic() - began)}")
    return 1 if any(each.failure for each in took) else 0


def run(tier: Tier, environment: Mapping[str, str]) -> Took:
    """Run one tier, and return what it came to."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", f"--junit-xml={report}", *tier.arguments]
        code = subprocess.run(command, env=dict(environment), check=False).returncode
        seconds = time.monotonic() - began
        failure = "" if code in {0, NO_TESTS} else f"FAILED (pytest ended with {code})"
        return Took(tier.name, seconds, failure, cases_of(report))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
