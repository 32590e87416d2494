"""What options may say: times, places in a history, ranges."""

import click
import pytest

from eventstore.cli.input import moment, search_terms
from eventstore.cli.input.moment import AsOf

pytestmark = pytest.mark.acceptance

NOW_MS = 1_700_000_000_000

TIMES = {
    "1970-01-01": 0,
    "2023-11-14": 1_699_920_000_000,
    "20231114": 1_699_920_000_000,
    "2023-11-14T22:13:20": NOW_MS,
    "2023-11-14T22:13:20.5Z": NOW_MS + 500,
    "2023-11-14T23:13:20+01:00": NOW_MS,
    " 2023-11-14 22:13 ": 1_699_999_980_000,
    "1700000000000": NOW_MS,
    "0s": NOW_MS,
    "90m": NOW_MS - 5_400_000,
    "7d": NOW_MS - 604_800_000,
    "9999-12-31T23:59:59.999Z": 253_402_300_799_999,
}


@pytest.mark.parametrize("text", TIMES)
def test_times(text):
    """
    Days, times with and without a zone, milliseconds, and so long ago; without a zone it is UTC.
    """
    assert moment.parse(text, NOW_MS) == TIMES[text]


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2023", "1700000000", "1969-12-31", "14.11.2023", "99999d", "-1s", "²"]
)
def test_no_times(text):
    """
    What can be meant in two ways, or lies outside of the years 1970 to 9999, is none; the message shows the forms.
    """
    assert moment.parse(text, NOW_MS) is None
    with pytest.raises(click.BadParameter, match="2025-01-31T12:30Z"):
        moment.moment(text)


def test_places_in_a_history():
    """
    Digits alone are a sequence number, as long as they cannot be milliseconds; anything else is a time.
    """
    assert moment.as_of("7") == AsOf(sequence=7)
    assert moment.as_of("20231114") == AsOf(sequence=20_231_114)
    assert moment.as_of("1700000000000") == AsOf(at_ms=NOW_MS)
    assert moment.as_of("2023-11-14") == AsOf(at_ms=1_699_920_000_000)
    for text in ("0", "9999999999999999", "-1", "x"):
        with pytest.raises(click.BadParameter, match="neither a sequence number"):
            moment.as_of(text)


def test_ranges_and_values():
    """
    Ends may be left out, numbers are numbers, and a value may hold what separates others.
    """
    assert search_terms.span("price.amount=10..20.5") == search_terms.Range("price.amount", 10, 20.5)
    assert search_terms.span("due=2025-01-31..") == search_terms.Range("due", "2025-01-31", None)
    assert search_terms.span("n=..-3") == search_terms.Range("n", None, -3)
    assert search_terms.pair("a.b=x=y") == ("a.b", "x=y")
    for text in ("n", "n=", "n=..", "n=5", "=1..2"):
        with pytest.raises(click.BadParameter):
            search_terms.span(text)
    for text in ("n", "=x"):
        with pytest.raises(click.BadParameter):
            search_terms.pair(text)
