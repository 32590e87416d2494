"""What mutants there are of a source, and what is left out."""

import pytest

from tests.mutants.mutation import mutants


def changes(source: str) -> list[str]:
    """Return what the changed lines of each mutant become."""
    return [" / ".join(mutant.lines()[1]) for mutant in mutants(source)]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("if a < b:\n    pass\n", ["if a <= b:"]),
        ("if ready:\n    pass\n", ["if not (ready):"]),
        ("while not ready:\n    pass\n", ["while ready:"]),
        ("LIMIT = 7\n", ["LIMIT = 8"]),
        ("LIMIT = True\n", ["LIMIT = False"]),
        ("NAME = 'bus'\n", ["NAME = 'XXbusXX'"]),
        ("total += n\n", ["total = n", "total -= n"]),
        ("queue.clear()\n", ["pass"]),
        (
            "found = take(one, 2)\n",
            ["found = None", "found = take(None, 2)", "found = take(2)", "found = take(one, )", "found = take(one, 3)"],
        ),
        ("def f():\n    return a and b\n", ["return None", "return a or b"]),
        ("found = [x for x in xs if x.ready]\n", ["found = None", "found = [x for x in xs if not (x.ready)]"]),
    ],
)
def test_each_change_is_small(source: str, wanted: list[str]) -> None:
    """
    One operator, condition, value, argument, call or return at a time.
    """
    assert changes(source) == wanted


@pytest.mark.parametrize(
    "source",
    [
        "import a\nfrom a import b\n",
        "x: int | None\n",
        "Answer = Absent | Present | None\n",
        "Rows = tuple[Row, ...]\n",
        "__all__ = ['a']\n",
        "T = TypeVar('T')\n",
        "assert a < b, 'never'\n",
        "@dataclass(frozen=True)\nclass A:\n    '''Says it.'''\n",
        "class E(Enum):\n    A = auto()\n",
        "class S(Struct, frozen=True):\n    pass\n",
        "if TYPE_CHECKING:\n    from a import b\n",
        "raise ValueError\n",
        "TEXT: Final\n",
    ],
)
def test_what_decides_nothing_is_left_out(source: str) -> None:
    """
    Imports, types, documentation, and what cannot happen.
    """
    assert changes(source) == []


def test_texts_for_people_are_left_out() -> None:
    """
    Those with a space in them, and those of an exception; its other arguments are not.
    """
    assert changes("say('all is well')\n") == ["pass"]
    assert changes("raise Wrong('field', f'is {x}', y)\n") == [
        "raise Wrong('field', f'is {x}', None)",
        "raise Wrong('field', f'is {x}', )",
    ]
    assert changes("pairs = zip(a, b, strict=False)\n") == [
        "pairs = None",
        "pairs = zip(None, b, strict=False)",
        "pairs = zip(a, None, strict=False)",
        "pairs = zip(b, strict=False)",
        "pairs = zip(a, strict=False)",
    ]


def test_a_mutant_says_where_it_is() -> None:
    """
    In the outermost function or method, the second of a name apart from the first. Defaults and classes are in none.
    """
    source = """
LIMIT = 1

class Box:
    size = 2

    @property
    def full(self):
        return self.size

    @full.setter
    def full(self, given=3):
        def inner():
            return 4
        self.size = inner
"""
    assert [(mutant.function, mutant.ordinal, mutant.lines()[1][0]) for mutant in mutants(source)] == [
        ("", 0, "LIMIT = 2"),
        ("", 0, "size = 3"),
        ("Box.full", 0, "return None"),
        ("", 0, "def full(self, given=4):"),
        ("Box.full", 1, "return None"),
        ("Box.full", 1, "return 5"),
        ("Box.full", 1, "self.size = None"),
    ]


def test_a_mutant_changes_nothing_else() -> None:
    """
    The text around stays as it is, comments included.
    """
    source = "# first\nLIMIT = 1  # so many\n\n\ndef f():\n    # why\n    return LIMIT\n"

    assert [mutant.source for mutant in mutants(source)] == [
        source.replace("= 1", "= 2"),
        source.replace("return LIMIT", "return None"),
    ]
