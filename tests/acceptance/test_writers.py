"""Many writer processes on one aggregate, on a real server, while replies get lost on both sides of the write."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from eventstore import NewEvent, TableNames
from eventstore.system import SystemRuntime
from relay.demo import truth
from relay.testing.checker import Acknowledged, DeliveryChecker, WrittenCommit
from tests.support.servers import ROOT, Corner
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.acceptance, pytest.mark.timeout(900)]

WRITERS = 8
COMMITS = int(os.environ.get("WRITERS_COMMITS", "2000"))
"""Commits of all writers together."""
SECONDS_MAX = 600.0


def start(corner: Corner, folder: Path, writer: int) -> subprocess.Popen[bytes]:
    """Start a writer; what it prints goes to a file."""
    command = [sys.executable, "-m", "tests.support.writer_process", "busy", str(writer), str(COMMITS // WRITERS)]
    with (folder / f"{writer}.out").open("wb") as out, (folder / f"{writer}.err").open("wb") as err:
        return subprocess.Popen(
            [*command, str(1000 + writer)],
            env={**os.environ, **corner.environment},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )


def test_eight_writers_number_one_aggregate_without_hole_or_double(corner: Corner, tmp_path: Path) -> None:
    """
    Numbers run from 1 to N, and every append that a writer heard an answer to is there once, where the answer said.
    """
    began = time.monotonic()
    processes = [start(corner, tmp_path, writer) for writer in range(WRITERS)]
    try:
        until(
            lambda: all(process.poll() is not None for process in processes),
            "all writers are done",
            timeout_seconds=SECONDS_MAX,
        )
    finally:
        for process in processes:
            process.kill()
            process.wait(10.0)
    seconds = time.monotonic() - began
    for writer, process in enumerate(processes):
        assert process.returncode == 0, (tmp_path / f"{writer}.err").read_text()

    checker = DeliveryChecker(has_bus=False, has_index=False)
    summaries: list[dict[str, Any]] = []
    for writer in range(WRITERS):
        *lines, last = map(json.loads, (tmp_path / f"{writer}.out").read_text().splitlines())
        summaries.append(last["summary"])
        for line in lines:
            event = NewEvent("COUNTED", {"writer": writer, "number": line["number"]})
            told = Acknowledged(line["commit_id"], line["version"], line["version"])
            checker.written(WrittenCommit("busy", "ITEM", [event], told))
    total = {name: sum(summary[name] for summary in summaries) for name in summaries[0]}
    sys.stdout.write(f"{COMMITS} commits in {seconds:.1f} s: {total}\n")  # seen with `pytest -s`, or when it fails

    verdict = checker.verdict(truth.event_rows(corner.client, TableNames(), SystemRuntime()))
    assert verdict.is_clean, str(verdict)
    assert verdict.events == verdict.commits == COMMITS // WRITERS * WRITERS
    assert total["lost_before"] > COMMITS // 50
    assert total["lost_after"] > COMMITS // 50
    assert total["repeats"] > 0
