"""The API reference against the docstrings, and the docstrings against the code."""

import ast
import builtins
import importlib
import re
from collections.abc import Iterator

import pytest

import eventstore
from tests.tidy import api_pages, api_source, docstrings
from tests.tidy.api_pages import COMMAND, FOLDER
from tests.tidy.api_source import Function, Thing
from tests.tidy.docstrings import Docstring

THINGS = [place.thing for place in api_pages.documented()]
CLASSES = [thing for thing in THINGS if isinstance(thing.node, ast.ClassDef)]


def arguments(node: Function) -> list[str]:
    """Return the names of a function's parameters, in order."""
    given = node.args
    several = [each for each in (given.vararg, *given.kwonlyargs, given.kwarg) if each is not None]
    names = [each.arg for each in (*given.posonlyargs, *given.args, *several)]
    return [name for name in names if name not in {"self", "cls"}]


def public_functions() -> Iterator[tuple[str, Function, Docstring]]:
    """Yield every public function and method with its docstring; constructors of errors are not called by users."""
    for thing in THINGS:
        if isinstance(thing.node, Function):
            yield thing.name, thing.node, docstrings.parse(thing.doc)
        elif isinstance(thing.node, ast.ClassDef) and not thing.is_error:
            for name, node, doc in api_source.functions(thing):
                described = docstrings.parse(doc or (thing.doc if name == "__init__" else ""))
                yield f"{thing.name}.{name}", node, described


FUNCTIONS = list(public_functions())


def test_pages_are_those_of_the_docstrings() -> None:
    """The committed pages say what the docstrings say today, and there is no page of a package that is gone."""
    wanted = api_pages.pages()
    stale = [path.name for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    stale += [path.name for path in FOLDER.glob("*.md") if path not in wanted]
    assert not stale, f"{', '.join(stale)}: stale. Run `{COMMAND}` and look at the difference"


def test_every_public_package_is_covered() -> None:
    """The packages that promise names are all there, and the reference has something of each."""
    missing = [package for package in api_source.PACKAGES if not api_source.path_of(package).exists()]
    assert missing == []
    assert all(api_source.exported(package) for package in api_source.PACKAGES)


def test_names_found_in_the_source_are_those_that_can_be_imported() -> None:
    """Reading the source finds what importing it finds."""
    for package in api_source.PACKAGES:
        assert api_source.exported(package) == importlib.import_module(package).__all__
    assert len(THINGS) == len({(thing.module, thing.name) for thing in THINGS})


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: f"{thing.module}.{thing.name}")
def test_every_public_name_explains_itself(thing: Thing) -> None:
    """It has a docstring; a constant has the string below it."""
    assert docstrings.parse(thing.doc).summary.endswith((".", ":"))


def test_every_public_function_explains_itself() -> None:
    """It has a docstring; a constructor may leave it to its class."""
    assert [name for name, _, doc in FUNCTIONS if not doc.summary] == []


def test_documented_arguments_are_those_of_the_signature() -> None:
    """A docstring that lists arguments lists all of them, in order, and none that is gone."""
    wrong = {
        name: (doc.names("Args"), arguments(node))
        for name, node, doc in FUNCTIONS
        if "Args" in doc.sections and doc.names("Args") != arguments(node)
    }
    assert wrong == {}


def test_documented_attributes_are_those_of_the_class() -> None:
    """A class with public fields documents each of them."""
    missing = {}
    for thing in CLASSES:
        fields = {ast.unparse(field.target) for field in api_source.fields(thing)}
        missing[thing.name] = fields - set(docstrings.parse(thing.doc).names("Attributes"))
    assert {name: fields for name, fields in missing.items() if fields} == {}


def test_documented_errors_exist() -> None:
    """What a docstring says is raised can be caught: by a public name, or by one of Python's own."""
    unknown = {
        f"{name}: {error}"
        for name, _, doc in FUNCTIONS
        for error in doc.names("Raises")
        if error and not hasattr(eventstore, error) and not hasattr(builtins, error)
    }
    assert unknown == set()


def test_errors_raised_on_the_spot_are_documented() -> None:
    """A public function whose body raises one of the public errors says so."""
    unsaid = {}
    for name, node, doc in FUNCTIONS:
        raised = set(re.findall(r"raise (\w+Error)\(", ast.unparse(node))) & set(eventstore.__all__)
        unsaid[name] = raised - set(doc.names("Raises"))
    assert {name: errors for name, errors in unsaid.items() if errors} == {}
