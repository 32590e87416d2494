"""The sure way to try a mutant: a process imports the project with the mutant in it, and runs the tests."""

import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

import pytest

PYTEST = (
    *("-q", "-x", "--tb=no", "-m", "not servers"),
    *("-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider", "-p", "no:anyio"),
    *("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"),  # by `warm_up`
)

_WARM = (
    "_hypothesis_pytestplugin",
    "boto3",
    "botocore.stub",
    "click.testing",
    "elasticsearch",
    "hypothesis",
    "jsonschema",
    "kombu",
    "msgspec",
    "prometheus_client",
    "pydantic_settings",
    "pytest_timeout",
    "rich.console",
    "structlog",
    "yaml",
)


def warm_up() -> None:
    """Import what test runs import, and nothing of the project, so that forked processes need not."""
    for name in _WARM:
        importlib.import_module(name)
    from hypothesis import Phase, settings  # noqa: PLC0415 - it takes its time, and the page alone does not need it

    phases = (Phase.explicit, Phase.generate)  # that a test fails is enough; the smallest example is not asked for
    settings.register_profile("mutants", derandomize=True, database=None, deadline=None, phases=phases)
    settings.load_profile("mutants")
    sys.dont_write_bytecode = False  # each trial would compile the tests anew
    gc.freeze()  # what is there already is no garbage of a trial's
    assert not {"eventstore", "relay"} & set(sys.modules), "what is there already would not be imported with a mutant"


def import_and_run(module: str, path: Path, source: str, tests: Sequence[str]) -> int:
    """Run tests with a module of this source; return pytest's exit code. For a process of its own."""
    sys.meta_path.insert(0, _Finder(module, path, source))
    return int(pytest.main([*PYTEST, *tests]))


class _Mutated(importlib.machinery.SourceFileLoader):
    """Loads a module from a source that is not in its file."""

    def __init__(self, module: str, path: Path, source: str) -> None:
        super().__init__(module, str(path))
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module, with a mutant in it."""

    def __init__(self, module: str, path: Path, source: str) -> None:
        self._module = module
        self._spec = importlib.util.spec_from_file_location(module, path, loader=_Mutated(module, path, source))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return self._spec if fullname == self._module else None
