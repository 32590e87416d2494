"""Whoever can call something can name what it takes and gives: every type of a public signature has a public name."""

import ast
from collections.abc import Iterator

import pytest

from tests.tidy import api_source
from tests.tidy.api_source import PACKAGES, Function, Thing

LEAST_SIGNATURES = 500
OPAQUE = {"EventClass", "Feed", "FeedRecord", "StoreContext", "Threads"}
"""What users may hold and hand on; what it consists of is the library's own."""


def public_things() -> dict[int, str]:
    """Return by definition the package that users import it from; of several the shortest."""
    found: dict[int, str] = {}
    for package in sorted(PACKAGES, key=len, reverse=True):
        for name in api_source.exported(package):
            found[id(api_source.find(package, name).node)] = f"{package}.{name}"
    return found


def signatures() -> Iterator[tuple[str, str, ast.expr]]:
    """Yield each annotation that users meet: where it stands, the module that its names are of, and what it says."""
    for package in PACKAGES:
        for name in api_source.exported(package):
            thing = api_source.find(package, name)
            where = f"{package}.{name}"
            match thing.node:
                case ast.ClassDef():
                    yield from of_class(where, thing)
                case ast.FunctionDef() | ast.AsyncFunctionDef() as node:
                    yield from of_function(where, thing.module, node)
                case ast.Assign(value=value) if name[0].isupper() and not name.isupper():  # an alias of types
                    yield where, thing.module, value
                case ast.AnnAssign(annotation=annotation):
                    yield where, thing.module, annotation
                case _:
                    pass


def of_class(where: str, thing: Thing) -> Iterator[tuple[str, str, ast.expr]]:
    """Yield what a class says of its fields and methods, and of those it inherits from bases without a public name.

    A constructor counts when it is explained: of other classes the library makes the objects.
    """
    if thing.name in OPAQUE:
        return
    for owner in api_source.lineage(thing):
        for node in owner.node.body if isinstance(owner.node, ast.ClassDef) else []:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id[0] != "_":
                yield f"{where}.{node.target.id}", owner.module, node.annotation
            elif isinstance(node, Function) and is_for_users(node, thing):
                yield from of_function(f"{where}.{node.name}", owner.module, node)


def is_for_users(node: Function, thing: Thing) -> bool:
    """Tell whether users call a method."""
    if node.name == "__init__":
        return bool(ast.get_docstring(node)) or "Args:" in thing.doc
    return node.name[0] != "_" or node.name in api_source.CALLED


def of_function(where: str, module: str, node: Function) -> Iterator[tuple[str, str, ast.expr]]:
    """Yield what a function says of its parameters and of what it returns."""
    given = node.args
    for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
        if argument is not None and argument.annotation is not None and argument.arg[0] != "_":
            yield f"{where}({argument.arg})", module, argument.annotation
    if node.returns is not None:
        yield f"{where}()", module, node.returns


def names_in(annotation: ast.expr) -> Iterator[str]:
    """Yield the names of an annotation, also of one that is put off as text."""
    is_literal = isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith("Literal")
    if is_literal:
        return
    match annotation:
        case ast.Constant(value=str(text)):
            yield from names_in(ast.parse(text, mode="eval").body)
        case ast.Name(id=name):
            yield name
        case _:
            for child in ast.iter_child_nodes(annotation):
                if isinstance(child, ast.expr):
                    yield from names_in(child)


def origin(module: str, name: str) -> Thing | None:
    """Return what a name of our own stands for; None for one of Python, of a library, or of a type variable."""
    try:
        thing = api_source.find(module, name)
    except (AssertionError, FileNotFoundError):
        return None
    match thing.node:
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar" | "NewType" | "ParamSpec"))):
            return None
        case _:
            return thing


def nameless() -> dict[str, str]:
    """Return the types of public signatures that have no public name, each with a place where it stands."""
    public, found = public_things(), {}
    for where, module, annotation in signatures():
        for name in names_in(annotation):
            thing = origin(module, name)
            if thing is not None and id(thing.node) not in public:
                found.setdefault(f"{thing.module}.{name}", where)
    return found


def test_every_type_of_a_public_signature_can_be_imported_from_a_public_package() -> None:
    """
    What is found here is exported where its users look for it, or left out of the signature.
    """
    assert nameless() == {}


def test_the_walk_sees_what_there_is() -> None:
    """
    It meets fields, parameters, results, text annotations, properties and what is inherited, in every package.
    """
    places = [where for where, _, _ in signatures()]

    assert len(places) > LEAST_SIGNATURES
    assert {
        "eventstore.NewEvent.timestamp_ms",
        "eventstore.EventStore.open(client)",
        "eventstore.EventStore.read()",
        "eventstore.EventStore.context()",
        "eventstore.connect()",
        "eventstore.RecordedEvent.payload_reader",
        "eventstore.aio.AsyncEventStream.resume_ms()",
        "eventstore.testing.in_memory_store()",
    } <= set(places)
    assert all(any(place.startswith(f"{package}.") for place in places) for package in PACKAGES)


@pytest.mark.parametrize(
    ("annotation", "names"),
    [
        ("A | None", ["A"]),
        ("'Callable[[A, B], C]'", ["Callable", "A", "B", "C"]),
        ("dict[str, 'list[A]']", ["dict", "str", "list", "A"]),
        ("Literal['A', 'B'] | C", ["C"]),
    ],
)
def test_names_of_annotations_are_found(annotation: str, names: list[str]) -> None:
    """
    Also within text, and not within literals.
    """
    assert list(names_in(ast.parse(annotation, mode="eval").body)) == names


def test_names_of_python_and_of_libraries_are_not_ours() -> None:
    """
    Only what this project defines needs a name of this project.
    """
    assert origin("eventstore.store", "Iterator") is None
    assert origin("eventstore.repository.repository", "S") is None
    assert origin("eventstore.store", "int") is None
    assert origin("eventstore.store", "Runtime") is not None
