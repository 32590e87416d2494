"""What became of each module's mutants, kept in a file per module, and which survivors are explained."""

import ast
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.mutants.own_tests import ROOT

FOLDER = Path(__file__).with_name("results")
EXPLAINED = Path(__file__).with_name("equivalent.toml")

SCORE_MIN = 0.95
"""The part of the tried mutants that must be killed or explained."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that no test noticed.

    Attributes:
        function: Where it is; empty when outside of functions.
        before: The lines that it changes.
        after: What they are changed to.
    """

    function: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a module's mutants.

    Attributes:
        source: Digest of the module.
        tests: Digest of its own tests.
        mutants: How many there are.
        tried: How many of them were tried.
        hung: How many did not end, and count as killed.
        survivors: What no test noticed.
    """

    source: str
    tests: str
    mutants: int
    tried: int
    hung: int
    survivors: Sequence[Survivor] = field(default_factory=tuple)

    @property
    def killed(self) -> int:
        """How many mutants were noticed."""
        return self.tried - len(self.survivors)


def digest(paths: Sequence[Path]) -> str:
    """Return what tells these modules from others; comments and line breaks are no matter."""
    trees = [ast.dump(ast.parse(path.read_text("utf-8"))) for path in paths]
    return hashlib.sha256("\0".join(trees).encode()).hexdigest()[:16]


def read(module: str) -> Result | None:
    """Return what is known of a module."""
    path = FOLDER / f"{module}.json"
    if not path.exists():
        return None
    known = json.loads(path.read_text("utf-8"))
    return Result(**{**known, "survivors": tuple(Survivor(**each) for each in known["survivors"])})


def write(module: str, result: Result) -> None:
    """Keep what became of a module's mutants."""
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(asdict(result), indent=1, ensure_ascii=False)
    (FOLDER / f"{module}.json").write_text(f"{text}\n", "utf-8")


def explained() -> Mapping[tuple[str, Survivor], str]:
    """Return why survivors are equivalent, by module and survivor."""
    table = tomllib.loads(EXPLAINED.read_text("utf-8"))
    return {
        (module, Survivor(each["function"], each["before"], each["after"])): each["reason"]
        for module, entries in table.items()
        for each in entries
    }


def score(module: str, result: Result, reasons: Mapping[tuple[str, Survivor], str]) -> float:
    """Return the part of the tried mutants that were killed or are explained; 1 when there are none."""
    known = sum((module, each) in reasons for each in result.survivors)
    return (result.killed + known) / result.tried if result.tried else 1.0


def digests(path: Path, tests: Sequence[str]) -> tuple[str, str]:
    """Return the digests of a module and of its own tests."""
    return digest([path]), digest([ROOT / test for test in tests])
