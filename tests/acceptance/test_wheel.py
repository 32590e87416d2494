"""The wheel, installed where nothing else is, carries what it needs."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.support.servers import ROOT, Corner

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timeout(600)]


def run(*command: str | Path, environment: dict[str, str] | None = None, folder: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **(environment or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_creates_the_tables_from_its_own_template(corner: Corner, tmp_path: Path) -> None:
    """
    `eventstore init` of the installed wheel finds the template, and the tables that are there fit it.
    """
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "empty")
    scripts = tmp_path / "empty" / "bin"
    # Compiled when it is imported: most of what is installed never is.
    install = ("install", "--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt")
    run(sys.executable, "-m", "pip", "--python", scripts / "python", *install, wheel)

    first = run(scripts / "eventstore", "init", environment=corner.environment, folder=tmp_path)
    other = {**corner.environment, "EVENTSTORE_TABLE_PREFIX": "wheel"}
    created = run(scripts / "eventstore", "init", environment=other, folder=tmp_path)
    demo = run(scripts / "relay", "demo", "--limit", "20", folder=tmp_path)

    assert "0 tables created, 5 were there" in first
    assert "5 tables created, 0 were there" in created
    assert "every event arrived, in order" in demo
