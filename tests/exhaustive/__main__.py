"""`python -m tests.exhaustive [AREA…]`: the larger cases, with progress; `make explore` runs all of them."""

# ruff: noqa: T201 - a command talks to a person

import sys
import time
from collections.abc import Sequence

from tests.exhaustive.area import explore_case
from tests.exhaustive.areas import AREAS
from tests.exhaustive.explorer import CounterexampleError

STATES_MAX = 300_000


def main(names: Sequence[str]) -> int:
    """Explore the larger cases of some areas, or of all; return 0 when nothing was found."""
    known = [area.name for area in AREAS]
    if wrong := [name for name in names if name not in known]:
        print(f"no area is called {', '.join(wrong)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    code = 0
    for area in AREAS:
        for case in area.large if not names or area.name in names else ():
            title, began = f"{area.name}: {case.name}", time.monotonic()

            def told(states: int, steps: int, title: str = title) -> None:
                print(f"\r{title}: {states:,} states, {steps:,} steps", end="", flush=True)

            try:
                found = explore_case(case, told, STATES_MAX)
            except CounterexampleError as error:
                print(f"\r{title}: {error}")
                code = 1
                continue
            whole = "all" if found.is_whole else "not all"
            seconds = time.monotonic() - began
            print(f"\r{title}: {found.states:,} states, {found.steps:,} steps, {whole}, {seconds:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
