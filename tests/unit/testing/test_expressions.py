"""Compiling expressions: caching, reserved words, limits."""

import pytest

from eventstore.testing.dynamodb.errors import ServiceError
from eventstore.testing.dynamodb.expressions.compiled import checked_names, compile_condition
from eventstore.testing.dynamodb.expressions.reserved import RESERVED_WORDS

LABEL = "ConditionExpression"


def compile_(text, names=None):
    return compile_condition(LABEL, text, checked_names(names or {}))


def test_the_same_expression_is_compiled_once():
    """
    Text and names together make an expression.
    """
    assert compile_("attribute_exists(#n)", {"#n": "a"}) is compile_("attribute_exists(#n)", {"#n": "a"})
    assert compile_("attribute_exists(#n)", {"#n": "a"}) is not compile_("attribute_exists(#n)", {"#n": "b"})


def test_it_knows_what_it_uses():
    """
    Names, values and paths are told, so that unused ones can be refused.
    """
    compiled = compile_("#n.b[2] = :v OR size(c) > :w", {"#n": "a.x"})

    assert compiled.names == {"#n"}
    assert compiled.values == {":v", ":w"}
    assert [path.parts for path in compiled.paths] == [("a.x", "b", 2), ("c",)]


@pytest.mark.parametrize("word", ["timestamp", "Position", "DATA", "size", "status", "name", "items", "counter"])
def test_reserved_words_need_a_name(word):
    """
    In any case of letters, and in any part of a path.
    """
    for text in (f"attribute_exists({word})", f"attribute_exists(fine.{word})"):
        with pytest.raises(ServiceError, match=f"reserved keyword: {word}"):
            compile_(text)


@pytest.mark.parametrize("word", ["aggregateId", "parked", "delivered", "epoch", "version", "events", "committedAt"])
def test_other_words_are_free(word):
    """
    What is not on the list needs no name.
    """
    compile_(f"attribute_exists({word})")


def test_the_list_of_reserved_words_is_whole():
    """
    572 words, in upper case.
    """
    assert len(RESERVED_WORDS) == 572
    assert all(word.isupper() and word.isalpha() for word in RESERVED_WORDS)


def test_an_expression_has_at_most_four_kib():
    """
    Longer ones are refused before they are parsed.
    """
    compile_(f"attribute_exists({'x' * 4000})")
    with pytest.raises(ServiceError, match="maximum allowed size"):
        compile_(f"attribute_exists({'x' * 4096})")


def test_deep_nesting_is_refused_and_not_followed():
    """
    An expression cannot exhaust the stack.
    """
    for text in ("NOT " * 1000 + "a = :v", "(a = :v AND " * 300 + "a = :v"):
        with pytest.raises(ServiceError, match="too many operators; operator count: 301"):
            compile_(text)
    for text in ("(" * 4000, "size(" * 680 + "a", "contains(" * 400 + "a"):
        with pytest.raises(ServiceError, match="Invalid ConditionExpression"):
            compile_(text)
