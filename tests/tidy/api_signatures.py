"""How things are called, as the source says it: signatures as lines of code."""

import ast

from tests.tidy import api_source
from tests.tidy.api_source import Function, Thing

WIDTH = 100


def of_class(thing: Thing, node: ast.ClassDef) -> list[str]:
    """Return how an object is made, for classes that users make objects of; of others the bases."""
    bases = [ast.unparse(base) for base in node.bases if not ast.unparse(base).startswith("Generic")]
    head = f"class {thing.name}({', '.join(bases)})" if bases else f"class {thing.name}"
    constructor = next((function for name, function, _ in api_source.functions(thing) if name == "__init__"), None)
    if thing.is_error or {"Protocol", "Enum", "StrEnum"} & {base.partition("[")[0] for base in bases}:
        return [head]
    if constructor is not None:
        return of_function(thing.name, constructor)
    fields = [
        ast.unparse(field.target) + f": {api_source.annotation(field.annotation)}" + _default(field.value)
        for field in api_source.fields(thing)
        if not (isinstance(field.value, ast.Call) and "init=False" in ast.unparse(field.value))
    ]
    return _wrapped(f"{thing.name}(", fields, ")") if fields else [head]


def _default(value: ast.expr | None) -> str:
    if value is None:
        return ""
    if not isinstance(value, ast.Call) or ast.unparse(value.func) not in {"field", "dataclasses.field"}:
        return f" = {ast.unparse(value)}"
    given = {keyword.arg: keyword.value for keyword in value.keywords}
    if "default" in given:
        return f" = {ast.unparse(given['default'])}"
    match given.get("default_factory"):
        case None:
            return ""
        case ast.Lambda(body=body):
            return f" = {ast.unparse(body)}"
        case factory:
            return f" = {ast.unparse(factory)}()"


def of_function(name: str, node: Function) -> list[str]:
    """Return how a function is called, under a name."""
    kinds = api_source.decorators(node)
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    shown = [_argument(each, value) for each, value in zip(plain, defaults, strict=True)]
    if plain and plain[0].arg in {"self", "cls"}:
        shown = shown[1:]
    if arguments.vararg:
        shown.append(f"*{_argument(arguments.vararg, None)}")
    elif arguments.kwonlyargs:
        shown.append("*")
    shown += [_argument(each, value) for each, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if arguments.kwarg:
        shown.append(f"**{_argument(arguments.kwarg, None)}")
    returns = "" if node.returns is None or node.name == "__init__" else f" -> {api_source.annotation(node.returns)}"
    if kinds & {"property", "cached_property"}:
        return [f"{name}{returns.replace(' -> ', ': ')}  # property"]
    decorators = [f"@{kind}" for kind in sorted(kinds & {"classmethod", "staticmethod", "contextmanager"})]
    start = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    return [*decorators, *_wrapped(f"{start}{name}(", shown, f"){returns}")]


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    if argument.annotation is None:
        return argument.arg + ("" if default is None else f"={ast.unparse(default)}")
    return f"{argument.arg}: {api_source.annotation(argument.annotation)}" + (
        "" if default is None else f" = {ast.unparse(default)}"
    )


def _wrapped(start: str, parts: list[str], end: str) -> list[str]:
    line = f"{start}{', '.join(parts)}{end}"
    return [line] if len(line) <= WIDTH else [start, *(f"    {part}," for part in parts), end]
