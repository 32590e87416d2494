"""Clones that are gone: find what they left running or lying about, and remove it on request."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from servers import state
from servers.install.cache import locked
from servers.layout import Layout
from servers.native import Native
from servers.services.catalogue import SERVICES

if TYPE_CHECKING:
    from servers.progress import Progress

LOCK_TIMEOUT_SECONDS = 30.0


def leftovers(layout: Layout) -> list[Layout]:
    """Return the layouts of clones on this machine whose own folder no longer exists."""
    found: list[Layout] = []
    siblings = sorted(layout.data_dir.parent.iterdir()) if layout.data_dir.parent.is_dir() else []
    for folder in siblings:
        state_dir = state.clone_of(folder)
        # Without the clone's folder; one that merely lost its `.local` is told apart by `up`.
        if folder != layout.data_dir and state_dir is not None and not state_dir.parent.exists():
            found.append(Layout(state_dir, folder, layout.cache_dir, folder.name))
    return found


def prune(layout: Layout, progress: Progress) -> int:
    """End the servers of clones that are gone, delete their data, and return how many clones that were."""
    gone = leftovers(layout)
    for each in gone:
        progress.say("prune", f"removing what {each.state_dir.parent} left in {each.data_dir}")
        # Beside the data, since the clone's own lock file went with the clone.
        with locked(each.data_dir / "lock", timeout_seconds=LOCK_TIMEOUT_SECONDS):
            Native(each, progress).end_all(SERVICES)
            shutil.rmtree(each.data_dir)
    return len(gone)
