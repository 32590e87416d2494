"""What is remembered between two commands: the engine, the ports, and the processes that were started."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servers.envfile import replace
from servers.layout import COPY_NAME
from servers.process import ProcessRecord

if TYPE_CHECKING:
    from servers.layout import Layout

FORMAT = 1


@dataclass
class State:
    """Ports and processes of one clone.

    Attributes:
        engine: Who runs the servers: "native", "docker", "podman"; empty while they are down.
        ports: Port by name; kept when the servers are down, so that addresses stay.
        processes: Native processes by server, in the order in which they were started.
    """

    engine: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, list[ProcessRecord]] = field(default_factory=dict)


def load(layout: Layout) -> State:
    """Read the state; empty when there is none.

    The copy beside the data serves a clone that was deleted and made again: its servers may still run.
    """
    return _read(layout.state_file) or _read(layout.state_copy) or State()


def clone_of(folder: Path) -> Path | None:
    """Return the state folder of the clone that a data folder belongs to, None when it does not say."""
    try:
        return Path(json.loads((folder / COPY_NAME).read_text(encoding="utf-8"))["state_dir"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(layout: Layout, state: State) -> None:
    """Write the state, in the clone and beside the data."""
    content = {"format": FORMAT, "state_dir": str(layout.state_dir), **dataclasses.asdict(state)}
    text = json.dumps(content, indent=2) + "\n"
    for path in (layout.state_file, layout.state_copy):
        replace(path, text)


def _read(path: Path) -> State | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return None
        records = content["processes"].items()
        processes = {name: [ProcessRecord(**record) for record in group] for name, group in records}
        return State(engine=content["engine"], ports=content["ports"], processes=processes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # Half written by a full disk, or by a version to come: as good as none.
        return None
