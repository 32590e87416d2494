"""What type checkers say of a user's code: of a small project, and of what the documentation shows.

Both checkers come with `make dev`; pyright carries its own engine, so that nothing is fetched here.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy import pages
from tests.tidy.pages import ROOT

HERE = Path(__file__).parent
SHOP = HERE / "shop"
SECONDS_MAX = 200
CACHE = ROOT / ".mypy_cache" / "of_users"

PAGES = [page for page in pages.all_pages() if any(block.language == "python" for block in pages.blocks(page))]

WRONG = """
from eventstore import AggregateRef, EventStore, NewEvent, RecordedEvent, Repository
from eventstore.testing import in_memory_store

def evolve(state: dict[str, int], event: RecordedEvent) -> dict[str, int]:
    return state

store = in_memory_store()
EventStore.open(3)  # 9
store.append("bolts", [NewEvent("A", {})], expected_version=0)  # 10
Repository(store, aggregate_type="A", initial=list, evolve=evolve)  # 11
store.read_between("2025-01-01", 5)  # 12
text: str = Repository(store, aggregate_type="A", initial=dict, evolve=evolve).load("a").state  # 13
"""
WRONG_LINES = {9, 10, 11, 12, 13}


def run(*command: str, folder: Path) -> str:
    """Run a checker on a folder as a user would, with this checkout as the installed library; return what it said."""
    environment = {**os.environ, "MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.stderr == "", done.stderr
    return done.stdout


def mypy(kind: str, folder: Path, *arguments: str) -> list[str]:
    """Return the faults that mypy finds; in the library it is silent, as it is in what is installed.

    What it has learnt of the library and of others stays in this checkout, apart for each kind of test: two that run at
    the same time write no file of the other.
    """
    own = ("--config-file=", "--follow-imports=silent", "--no-error-summary", f"--cache-dir={CACHE / kind}")
    return run("mypy", *own, *arguments, folder=folder).splitlines()


def pyright(folder: Path, mode: str, **settings: object) -> list[str]:
    """Return the faults that pyright finds."""
    config = {"include": ["."], "extraPaths": [str(ROOT)], "pythonVersion": "3.11", "typeCheckingMode": mode}
    (folder / "pyrightconfig.json").write_text(json.dumps({**config, **settings}), "utf-8")
    said = run("pyright", "--pythonpath", sys.executable, "--outputjson", folder=folder)
    return [
        f"{Path(each['file']).name}:{each['range']['start']['line'] + 1}: {each['message'][:500]}"
        for each in json.loads(said)["generalDiagnostics"]
    ]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of its own with the small project, outside of this checkout."""
    copy = tmp_path / "shop"
    copy.mkdir()
    for path in SHOP.glob("*.py"):
        (copy / path.name).write_text(path.read_text("utf-8"), "utf-8")
    return tmp_path


@pytest.mark.parametrize("strictness", [[], ["--strict"]], ids=["default", "strict"])
def test_mypy_accepts_a_small_project(project: Path, strictness: list[str]) -> None:
    """
    Clients of boto3, states from classes and functions, views, reads, imports, tasks and examples, and their types.
    """
    assert mypy(f"shop{''.join(strictness)}", project, *strictness, "-p", "shop") == []


def test_pyright_accepts_a_small_project_in_strict_mode(project: Path) -> None:
    """
    The same by the other checker, which infers otherwise.
    """
    assert pyright(project, "strict") == []


def test_what_is_wrong_is_refused(tmp_path: Path) -> None:
    """
    Arguments of wrong types are not let through, so that the acceptance above means something.
    """
    (tmp_path / "wrong.py").write_text(WRONG, "utf-8")

    by_mypy = mypy("wrong", tmp_path, "wrong.py")
    by_pyright = pyright(tmp_path, "standard")

    assert {int(line.split(":")[1]) for line in by_mypy if ": error:" in line} == WRONG_LINES, by_mypy
    assert {int(line.split(":")[1]) for line in by_pyright} == WRONG_LINES, by_pyright


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module for each page that shows code, its lines where the page has them."""
    folder = tmp_path_factory.mktemp("documented")
    for page in PAGES:
        lines: list[str] = []
        for block in pages.blocks(page):
            if block.language == "python":
                lines += [""] * (block.line - 1 - len(lines))
                lines += [re.sub(r"^_ = ", "", line) for line in block.text.splitlines()]  # hides it from a terminal
        name = re.sub(r"\W", "_", page.relative_to(ROOT).with_suffix("").as_posix())
        (folder / f"{name}.py").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def test_mypy_accepts_what_the_pages_show(documented: Path) -> None:
    """
    The code of each page, one block after the other; a later one may define a name again.
    """
    names = [path.name for path in sorted(documented.glob("*.py"))]

    assert len(names) == len(PAGES)
    assert mypy("pages", documented, "--disable-error-code=no-redef", *names) == []


def test_pyright_accepts_what_the_pages_show(documented: Path) -> None:
    """
    The same by the other checker.
    """
    assert pyright(documented, "standard", reportRedeclaration=False) == []
