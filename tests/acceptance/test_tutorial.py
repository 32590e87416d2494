"""The tutorial's last chapter: the code of the page on real servers, beside a relay that runs."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.relay_process import RelayProcess
from tests.support.servers import Corner
from tests.tidy import pages

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

PAGE = pages.DOCS / "tutorial" / "inventory-service.md"


@pytest.fixture
def relay(corner: Corner, tmp_path: Path) -> Iterator[RelayProcess]:
    """A relay that carries the corner's commits."""
    process = RelayProcess(corner.environment, tmp_path, index_replicas="0")
    process.start()
    yield process
    assert process.stop() == 0
    process.close()


def test_the_same_code_works_on_real_servers(
    corner: Corner, relay: RelayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The page's code goes on with a store on DynamoDB, waits for the relay, and finds in the index what it stored.
    """
    for name, value in corner.environment.items():
        monkeypatch.setenv(name, value)
    namespace: dict[str, object] = {"__name__": "__main__"}
    shown = []
    for block in pages.blocks(PAGE):
        if block.language not in {"python", "py"}:
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (block.line - 1) + block.text, str(PAGE), "exec"), namespace)  # noqa: S102 - our page
        if block.language == "py":
            shown.append((printed.getvalue(), block.output))
    assert len(shown) == 1
    assert shown[0][0] == shown[0][1]
