"""The table of mutants: every module of the purity contract is in it, and scores as it must."""

from typing import Any

import pytest

from tests.mutants import page, results
from tests.mutants.own_tests import OWN_TESTS, ROOT, pure_modules

MODULES = pure_modules()
BELOW: frozenset[str] = frozenset(
    {
        "eventstore.errors",
        "eventstore.search.dsl",
        "eventstore.search.options",
        "eventstore.search.page_token",
        "eventstore.search.query",
        "eventstore.timeline.query",
        "eventstore.validation",
        "eventstore.verify.commit_rules",
        "eventstore.verify.counts",
        "eventstore.verify.debt_rules",
        "eventstore.verify.event_ids",
        "eventstore.verify.finding",
        "eventstore.verify.history_rules",
        "relay.destinations.index.differences",
        "eventstore.payload.json_text",
        "relay.testing.checker.broken",
        "relay.testing.checker.bus",
        "relay.testing.checker.checker",
        "relay.testing.checker.comparison",
        "relay.testing.checker.document",
        "relay.testing.checker.event",
        "relay.testing.checker.history",
        "relay.testing.checker.imprint",
        "relay.testing.checker.index",
        "relay.testing.checker.message",
        "relay.testing.checker.promise",
        "relay.testing.checker.verdict",
        "relay.testing.checker.writing",
    }
)
"""Modules that were not tried yet, or of which more mutants survive: to be taken out of here one by one."""


def each_module() -> list[Any]:
    """Return the modules; those in `BELOW` are expected to fail, and may stay there no longer once they do not."""
    below = pytest.mark.xfail(reason="their tests are to be completed", strict=True)
    return [pytest.param(module, marks=below) if module in BELOW else module for module in sorted(MODULES)]


def test_each_module_of_the_contract_has_tests_of_its_own() -> None:
    """
    And nothing else has: a module that moves takes its entry along.
    """
    assert sorted(OWN_TESTS) == sorted(MODULES)
    assert [test for tests in OWN_TESTS.values() for test in tests if not (ROOT / test).is_file()] == []


@pytest.mark.parametrize("module", each_module())
def test_nearly_all_mutants_of_a_module_are_noticed(module: str) -> None:
    """
    95 of 100 are killed, or equivalent for a reason. `make mutants MODULE=…` tries them anew.
    """
    result = results.read(module)

    assert result is not None, "it was never tried"
    assert result.tried >= min(result.mutants, 100)
    assert results.score(module, result, results.explained()) >= results.SCORE_MIN


@pytest.mark.parametrize("module", sorted(MODULES))
def test_survivors_are_still_there(module: str) -> None:
    """
    What is said of a survivor is said of lines that the module has.
    """
    result = results.read(module)
    named = list(result.survivors) if result else []
    named += [survivor for about, survivor in results.explained() if about == module]
    lines = {line.strip() for line in MODULES[module].read_text("utf-8").splitlines()}

    assert [line for each in named for line in each.before.splitlines() if line not in lines] == []


def test_no_reason_is_given_for_what_did_not_survive() -> None:
    """
    A test may notice it by now.
    """
    found = {module: results.read(module) for module in MODULES}
    survived = {(module, each) for module, result in found.items() if result for each in result.survivors}

    assert set(results.explained()) - survived == set()


def test_the_page_shows_what_was_found() -> None:
    """
    Its tables are written by the command; `python -m tests.mutants` writes them anew.
    """
    assert page.PAGE.read_text("utf-8") == page.rendered(page.PAGE)
