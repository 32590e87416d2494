"""Names inside the product: one word, one thing."""

import ast
from collections import defaultdict
from pathlib import PurePath

from tests.tidy import sources
from tests.tidy.pages import ROOT


def classes() -> dict[str, set[PurePath]]:
    """Return where each public class of the product is defined, by name."""
    found: dict[str, set[PurePath]] = defaultdict(set)
    for path, tree in sources.modules("eventstore", "relay"):
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].add(path.relative_to(ROOT))
    return found


def test_no_two_public_classes_share_a_name() -> None:
    """A class name says which thing is meant, in a traceback, in a search and in a review."""
    shared = {name: sorted(map(str, paths)) for name, paths in classes().items() if len(paths) > 1}
    assert shared == {}


def test_classes_are_found_in_both_packages() -> None:
    """The search sees the library and the relay."""
    found = classes()
    assert {str(path.parts[0]) for name in ("EventStore", "HeldLease") for path in found[name]} == {
        "eventstore",
        "relay",
    }
