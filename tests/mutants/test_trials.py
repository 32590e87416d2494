"""A module's mutants are killed by the tests that notice them, and the others survive."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MODULE = """
LIMIT = 2


def is_full(count):
    return count >= LIMIT


def wait(count):
    while count < LIMIT:
        count += 1
    return count


def unseen(count):
    return count - 1
"""
TESTS = """
from boxes import is_full, wait


def test_full():
    assert [is_full(1), is_full(2)] == [False, True]


def test_wait():
    assert [wait(1), wait(5)] == [2, 5]
"""
DRIVER = """
import json, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], "."]
from tests.mutants import anew, trials
anew.warm_up()
found = trials.run("boxes", Path("boxes.py").resolve(), ["test_boxes.py"], int(sys.argv[1]))
print(json.dumps([found.mutants, found.tried, found.hung, [each.lines()[1] for each in found.survivors]]))
"""


def tried(folder: Path, sample: int = 100) -> list[object]:
    command = [sys.executable, "-c", DRIVER, str(sample), str(ROOT)]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=200)
    found: list[object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_what_no_test_notices_survives(tmp_path: Path) -> None:
    """
    Inside of functions and outside; what does not end counts as killed.
    """
    (tmp_path / "boxes.py").write_text(MODULE, "utf-8")
    (tmp_path / "test_boxes.py").write_text(TESTS, "utf-8")

    mutants, all_tried, hung, survivors = tried(tmp_path)

    assert mutants == all_tried
    assert hung == 2, "`count = 1` and `count -= 1` have no end"
    assert survivors == [["return None"], ["return count + 1"], ["return count - 2"]]


def test_a_sample_is_the_same_every_time(tmp_path: Path) -> None:
    """
    So that a score can be compared with the one before.
    """
    (tmp_path / "boxes.py").write_text("A, B, C, D, E, F = 1, 2, 3, 4, 5, 6\n", "utf-8")
    (tmp_path / "test_boxes.py").write_text("def test_nothing():\n    pass\n", "utf-8")

    first = tried(tmp_path, 3)

    assert first[:3] == [7, 3, 0]
    assert tried(tmp_path, 3) == first
