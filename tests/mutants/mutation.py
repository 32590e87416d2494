"""Mutants of a module: its source, each time with one small change.

The changes are those of mutmut's operators, and three more that a decision needs: a bare condition is turned round, a
function returns nothing, a call is left out. What is left out, and why, is told in docs/explanation/mutants.md.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import libcst as cst
from mutmut.mutation import mutators

_WITHOUT_A_RULE = frozenset({"TypeVar", "auto"})
"""What is assigned from these says nothing that could be wrong."""
_OPERATOR_FOR_TEXT = mutators.operator_string
_OPERATOR_FOR_ARGUMENTS = mutators.operator_arg_removal
_OPERATOR_FOR_ASSIGNMENTS = mutators.operator_assignment


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one change.

    Attributes:
        function: The outermost function or method it is in, `Class.method`; empty when it is in none, or in a default.
        ordinal: Which of the functions of that name.
        _statement: The statement of the module that is changed.
        _before: The node in it.
        _after: What stands there instead.
    """

    function: str
    ordinal: int
    _statement: "_Statement"
    _before: cst.CSTNode
    _after: cst.CSTNode

    @property
    def source(self) -> str:
        """The source with the change."""
        changed = self._statement.node.deep_replace(self._before, self._after)
        assert isinstance(changed, cst.CSTNode)
        return self._statement.above + self._statement.module.code_for_node(changed) + self._statement.below

    def lines(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the lines that the change takes away, and those that it puts there."""
        before, after = self._statement.module.code.splitlines(), self.source.splitlines()
        gone: list[str] = []
        new: list[str] = []
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
            if tag != "equal":
                gone += [line.strip() for line in before[i1:i2]]
                new += [line.strip() for line in after[j1:j2]]
        return tuple(gone), tuple(new)


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement of a module, which is written anew in less time than the whole.

    Attributes:
        module: The module.
        node: The statement.
        above: The module's text before it.
        below: The text after it.
    """

    module: cst.Module
    node: cst.CSTNode
    above: str
    below: str


def mutants(source: str) -> list[Mutant]:
    """Return all mutants of a module, in the order of its text."""
    module = cst.parse_module(source)
    visitor = _Mutating()
    end = 0
    for node in module.body:
        text = module.code_for_node(node)
        begin = source.index(text, end)
        end = begin + len(text)
        visitor.statement = _Statement(module, node, source[:begin], source[end:])
        node.visit(visitor)
    return visitor.found


class _Mutating(cst.CSTVisitor):
    """Collects mutants of a module, statement by statement.

    Attributes:
        statement: The one that is visited.
    """

    statement: _Statement

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Mutant] = []
        self._names: list[str] = []  # of the classes and functions around the node
        self._function: tuple[str, int] | None = None  # the outermost one whose body the node is in
        self._seen: dict[str, int] = {}
        self._declaring: set[int] = set()  # arguments of a class statement
        self._raising = 0

    def on_visit(self, node: cst.CSTNode) -> bool:
        if id(node) in self._declaring or _is_left_out(node) or (_is_text(node) and (self._raising or _is_prose(node))):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._names.append(node.name.value)
        if isinstance(node, cst.ClassDef):
            self._declaring |= {id(each) for each in node.keywords}
        self._raising += isinstance(node, cst.Raise)
        name, ordinal = self._function or ("", 0)
        self.found += (Mutant(name, ordinal, self.statement, node, after) for after in self._changes(node))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        self._raising -= isinstance(original_node, cst.Raise)
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef) and not _is_left_out(original_node):
            self._names.pop()

    def visit_FunctionDef_body(self, node: cst.FunctionDef) -> None:  # noqa: N802 - libcst's name
        if self._function is None:
            name = ".".join(self._names)
            self._function = name, self._seen.setdefault(name, 0)
            self._seen[name] += 1
            self._outermost = node

    def leave_FunctionDef_body(self, node: cst.FunctionDef) -> None:  # noqa: N802 - libcst's name
        if self._function is not None and node is self._outermost:
            self._function = None

    def _changes(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        for kind, operator in _OPERATORS:
            if not isinstance(node, kind):
                continue
            if operator is _OPERATOR_FOR_TEXT:
                yield from list(operator(node))[:1]  # in upper case or lower: it is another text all the same
            elif operator is _OPERATOR_FOR_ASSIGNMENTS and _is_changed_itself(node):
                continue
            elif operator is _OPERATOR_FOR_ARGUMENTS:
                yield from self._other_arguments(node)
            else:
                yield from operator(node)

    def _other_arguments(self, call: cst.CSTNode) -> Iterator[cst.CSTNode]:
        assert isinstance(call, cst.Call)
        if isinstance(call.func, cst.Name) and call.func.value in {"len", "isinstance"}:
            return  # they fail at once
        for after in _OPERATOR_FOR_ARGUMENTS(call):
            changed = next(
                i for i, argument in enumerate(call.args) if i >= len(after.args) or argument is not after.args[i]
            )
            if _is_left_out(call.args[changed]):
                continue
            value = call.args[changed].value
            if len(after.args) == len(call.args) and _is_literal(value):
                continue  # it is another one in a mutant of its own
            if not _is_prose(value) and not (self._raising and _is_text(value)):
                yield after


def _is_left_out(node: cst.CSTNode) -> bool:
    """Tell whether a node is for the type checker, for the reader, or says what cannot happen."""
    match node:
        case cst.Annotation() | cst.Decorator() | cst.Assert() | cst.Import() | cst.ImportFrom():
            return True
        case cst.If(test=cst.Name(value="TYPE_CHECKING")):
            return True
        case cst.Arg(keyword=cst.Name(value="strict"), value=cst.Name(value="False")):
            return True
        case cst.Assign(value=cst.BinaryOperation() as value):
            return _is_union(value)
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value="__all__"))]):
            return True
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=cst.Subscript()):
            return _is_type(name)
        case cst.SimpleStatementLine(body=[cst.Assign(value=cst.Call(func=cst.Name(value=name)))]):
            return name in _WITHOUT_A_RULE
        case _:
            return False


def _is_union(node: cst.BaseExpression) -> bool:
    """Tell whether an expression is a union of types: names with a capital and `None`, with `|` between."""
    match node:
        case cst.BinaryOperation(operator=cst.BitOr(), left=left, right=right):
            return _is_union(left) and _is_union(right)
        case cst.Subscript(value=value):
            return _is_union(value)
        case cst.Name(value=name):
            return name in {"str", "int", "float", "bool", "bytes", "None"} or _is_type(name)
        case _:
            return False


def _is_changed_itself(assignment: cst.CSTNode) -> bool:
    """Tell whether what is assigned is another in a mutant of its own."""
    return isinstance(assignment, cst.Assign | cst.AnnAssign) and _is_literal(assignment.value)


def _is_literal(node: cst.CSTNode | None) -> bool:
    """Tell whether a node is a number, a text or a truth value."""
    if isinstance(node, cst.Name):
        return node.value in {"True", "False"}
    return isinstance(node, cst.BaseNumber | cst.SimpleString)


def _is_type(name: str) -> bool:
    """Tell whether a name is written like that of a class."""
    return name.lstrip("_")[:1].isupper() and not name.isupper()


def _is_text(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.SimpleString | cst.FormattedString | cst.ConcatenatedString)


def _is_prose(node: cst.CSTNode) -> bool:
    """Tell whether a text is for people: it has a space in it."""
    match node:
        case cst.SimpleString():
            return " " in node.raw_value
        case cst.FormattedString(parts=parts):
            return any(isinstance(part, cst.FormattedStringText) and " " in part.value for part in parts)
        case cst.ConcatenatedString(left=left, right=right):
            return _is_prose(left) or _is_prose(right)
        case _:
            return False


def _turn_round(node: cst.If | cst.While | cst.IfExp | cst.CompIf) -> Iterable[cst.CSTNode]:
    """Turn round a condition that has no operator which mutmut would change."""
    if isinstance(node.test, cst.Name | cst.Attribute | cst.Call | cst.NamedExpr):
        bare = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.with_changes(test=cst.UnaryOperation(cst.Not(), bare))


def _return_nothing(node: cst.Return) -> Iterable[cst.CSTNode]:
    """Return None instead of a value."""
    if node.value is not None and not (isinstance(node.value, cst.Name) and node.value.value == "None"):
        yield node.with_changes(value=cst.Name("None"), whitespace_after_return=cst.SimpleWhitespace(" "))


def _leave_out(node: cst.Expr) -> Iterable[cst.CSTNode]:
    """Leave out a call that stands alone."""
    if isinstance(node.value, cst.Call):
        yield cst.Pass()


_OPERATORS: list[tuple[type, Callable[[cst.CSTNode], Iterable[cst.CSTNode]]]] = [
    *mutators.mutation_operators,
    (cst.If, _turn_round),
    (cst.While, _turn_round),
    (cst.IfExp, _turn_round),
    (cst.CompIf, _turn_round),
    (cst.Return, _return_nothing),
    (cst.Expr, _leave_out),
]
