"""How values are read into the index: typed copies, words, and keywords; in memory and on Elasticsearch alike."""

import json

import pytest

from eventstore.search import FacetCount, SearchQuery
from relay.testing.commits import NEW_YEAR_2025_MS, commit

ALL = SearchQuery()
DAY_MS = 86_400_000
FEBRUARY_MS = NEW_YEAR_2025_MS + 31 * DAY_MS
NOON_MS = FEBRUARY_MS + DAY_MS // 2
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1


def index(world, **payloads):
    """Have one event indexed for each payload, given as JSON text."""
    world.index(
        *(
            commit(name, data_json=text, metadata_json="{}", timestamp_ms=NEW_YEAR_2025_MS)
            for name, text in payloads.items()
        )
    )


def found(world, query):
    return [event.aggregate_id for event in world.search.find(query.oldest_first())]


DATES = {
    '"2025"': NEW_YEAR_2025_MS,
    '"2025-02"': FEBRUARY_MS,
    '"2025-02-01"': FEBRUARY_MS,
    '"2025-02-01T"': FEBRUARY_MS,
    '"2025-02-01T12"': NOON_MS,
    '"2025-02-01T12:00"': NOON_MS,
    '"2025-02-01T12:00:00"': NOON_MS,
    '"2025-02-01T12:00:00.5"': NOON_MS + 500,
    '"2025-02-01T12:00:00,5"': NOON_MS + 500,
    '"2025-02-01T12:00:00.123456789"': NOON_MS + 123,
    '"1969-12-31T23:59:59.9999Z"': -1,
    '"2025-02-01T12:00:00Z"': NOON_MS,
    '"2025-02-01T12Z"': NOON_MS,
    '"2025-02-01T13:30+01:30"': NOON_MS,
    '"2025-02-01T13:30+0130"': NOON_MS,
    '"2025-02-01T13+01"': NOON_MS,
    '"2025-02-01T13:00:00Europe/Berlin"': NOON_MS,
    '"2025-02-01T12:00:00UTC"': NOON_MS,
    '"2025-02-01T13:00:00GMT+1"': NOON_MS,
    '"2024-02-29"': NEW_YEAR_2025_MS - 307 * DAY_MS,
    '"0000-01-01"': -62_167_219_200_000,
    '"-2025-02-01"': -126_067_363_200_000,
    '"9999-12-31"': 253_402_214_400_000,
    '"1738411200000"': NOON_MS,
    '"1738411200000.9"': NOON_MS,
    "2025": NEW_YEAR_2025_MS,
    "1738411200000": NOON_MS,
    "1738411200000.7": NOON_MS,
    "1.7384112e12": NOON_MS,
    "100000000000": 100_000_000_000,
    "-100000000000": -100_000_000_000,
    "253402300799999": 253_402_300_799_999,
    '["soon", "2025-02-01"]': FEBRUARY_MS,
}
NO_DATES = [
    '"2025-2-1"', '"2025-02-30"', '"2025-13-01"', '"2025-W05"', '"2025-032"', '"20250201T120000Z"',
    '"2025-02-01 12:00"', '"2025-02-01t12:00"', '"2025-02-01T12:00z"', '"2025-02-01T12:00 Z"', '"2025-02-01T24:00"',
    '"2025-02-01T23:59:60"', '"2025-02-01T12:"', '"2025-02-01T1"', '"2025-02-01T12:00:00.1234567891"',
    '"2025-02-01+01:00"', '"2025-02-01Z"', '"2025-02-01T12:00+1"', '"2025-02-01T12:00+18:01"',
    '"2025-02-01T12:00+01:60"', '"2025-02-01T12:00europe/berlin"', '"12025-02-01"', '"+2025-02-01"', '"2025-02-01 "',
    '"1e12"', '"+5"', '".5"', '"1.1234567"', '"99999999999999999999"', '"\\u0662025"', '"soon"', '"now"', '""',
    "99999999999999999999", "1e16", "true", "null", "[]", '{"a": 1}',
    "1738411200", '"1738411200"', "1738411200.5", '"20250201"', '"05"', '"-1.5"', "999", "10000", "2025.0", "-0.5", "0",
    "99999999999", "-99999999999", "1738411200000000", "253402300800000",
]  # fmt: skip


def test_dates_of_many_forms(world):
    """ISO 8601 as far as Elasticsearch's strict form takes it, and milliseconds; a year of four digits is a year."""
    index(world, **{f"d{place:02}": f'{{"due": {text}}}' for place, text in enumerate(DATES)})

    wrong = {
        text: ms
        for place, (text, ms) in enumerate(DATES.items())
        if f"d{place:02}" not in found(world, ALL.promoted_range("due", ms, ms + 1))
    }
    assert wrong == {}


def test_what_is_no_date_is_kept_and_not_findable_as_one(world):
    """It does not refuse the event."""
    index(world, **{f"n{place:02}": f'{{"due": {text}}}' for place, text in enumerate(NO_DATES)})

    assert world.search.count(ALL) == len(NO_DATES)
    taken = {int(name[1:]) for name in found(world, ALL.promoted_range("due", LONG_MIN + 1, LONG_MAX))}
    assert [NO_DATES[place] for place in sorted(taken)] == []


def test_what_has_no_copy_is_found_by_that(world):
    """A fraction where a whole number is promoted, seconds where a date is, an object where anything is."""
    index(
        world,
        fits='{"stock": {"count": 12}, "due": 1738411200000, "note": "x", "price": "12.50"}',
        fraction='{"stock": {"count": 12.7}}',
        seconds='{"due": 1738411200}',
        some='{"stock": {"count": [1, 2.5]}}',
        nested='{"stock": [{"count": 1}], "note": {"de": "x"}}',
        nothing='{"stock": {"count": null}}',
    )

    assert found(world, ALL.unpromoted("stock.count")) == ["fraction", "nested", "some"]
    assert found(world, ALL.unpromoted("due")) == ["seconds"]
    assert found(world, ALL.unpromoted("price", "note")) == ["nested"]
    assert found(world, ALL.promoted_range("stock.count", 1, 2)) == ["some"]
    assert found(world, ALL.promoted_range("price", 12.4, 12.6)) == ["fits"]
    assert [event.data for event in world.search.find(ALL.unpromoted("due"))] == [{"due": 1738411200}]


LONGS = {
    "5": 5, "-5": -5, "1e3": 1000, "1.5E1": 15, "-0": 0, '"5"': 5, '"+5"': 5, '"05"': 5,
    '"5."': 5, '"5.0"': 5, "5.0": 5, '"1e3"': 1000, '"\\uff15"': 5, '["x", 7]': 7,
    "9223372036854775806": LONG_MAX - 1, "-9223372036854775808": LONG_MIN,
    "9007199254740993": 9_007_199_254_740_993, '"9007199254740993.0"': 9_007_199_254_740_993,
    "9007199254740993.0": 9_007_199_254_740_992,
}  # fmt: skip
NO_LONGS = [
    "9223372036854775808", "-9223372036854775809", "99999999999999999999", "1e19", "-9.3e18", "12345678901234567890.5",
    '"9223372036854775808"', '"1e30"', '"1e400"', '"1_000"', '" 5"', '"5 "', '"5L"', '"0x10"', '"NaN"', '"five"', '""',
    "true", "null", "[]", "5.9", "-5.9", "12.7", '"5.9"', '".5"', '"1e-1"',
]  # fmt: skip


def test_whole_numbers_have_64_bits(world):
    """A fraction is not cut off; what does not fit, or is no number, is kept and not findable as one."""
    longs, others = enumerate(LONGS), enumerate(NO_LONGS)
    index(world, **{f"n{place:02}": f'{{"stock": {{"count": {text}}}}}' for place, text in longs})
    index(world, **{f"x{place:02}": f'{{"stock": {{"count": {text}}}}}' for place, text in others})

    wrong = {
        text: number
        for place, (text, number) in enumerate(LONGS.items())
        if f"n{place:02}" not in found(world, ALL.promoted_range("stock.count", number, number + 1))
    }
    assert wrong == {}
    assert [name for name in found(world, ALL.promoted_range("stock.count", LONG_MIN)) if name[0] == "x"] == []
    assert world.search.count(ALL) == len(LONGS) + len(NO_LONGS)


DOUBLES = {
    "5": 5.0, "5.5": 5.5, "1e3": 1000.0, '"5.5"': 5.5, '" 5.5 "': 5.5, '"5.5d"': 5.5, '"5e-1f"': 0.5, '".5"': 0.5,
    '"0x1p3"': 8.0, "1.7976931348623157e308": 1.7976931348623157e308,
}  # fmt: skip
NO_DOUBLES = [
    '"NaN"', '"Infinity"', '"-inf"', '"1e400"', '"1_000"', '"\\u0665"', '"\\u00a05"', '"5,5"', '"5L"', '"0x10"', '""',
    "true",
]  # fmt: skip


def test_doubles(world):
    """As Java writes them, and finite."""
    index(world, **{f"n{place:02}": f'{{"price": {text}}}' for place, text in enumerate(DOUBLES)})
    index(world, **{f"x{place:02}": f'{{"price": {text}}}' for place, text in enumerate(NO_DOUBLES)})

    for place, number in enumerate(DOUBLES.values()):
        above = number * (1 - 1e-9)
        below = None if number > 1e300 else number * (1 + 1e-9)
        assert f"n{place:02}" in found(world, ALL.promoted_range("price", above, below))
    assert [name for name in found(world, ALL.promoted_range("price", -1.7e308)) if name[0] == "x"] == []


TEXTS = [
    "Handle with care",  # 0
    "don't",
    "O'Brien's",
    "foo_bar, __a__",
    "foo-bar",
    "foo.bar",  # 5
    "3.14 and 1,000",
    "a1b2",
    "日本語",
    "KÖLN Straße",
    "me@x.com",  # 10
    "İstanbul",
    "hello😀world",
    "a:b",
    "x" * 300,
    "U.S.A.",  # 15
    "ab\u200bcd",
    "ef\u00adgh",
    "ΟΔΥΣΣΕΥΣ",
    "カタカナ ひらがな",
    "... - _",  # 20
]


@pytest.fixture(scope="module")
def texts(asked_world):
    """A world with one event for each text."""
    index(asked_world, **{f"t{place:02}": json.dumps({"note": text}) for place, text in enumerate(TEXTS)})
    return asked_world


@pytest.mark.parametrize(
    ("sought", "places"),
    [
        ("care HANDLE", [0]),
        ("car", []),
        ("don't", [1]),
        ("don", []),
        ("o'brien's", [2]),
        ("brien", []),
        ("foo_bar", [3]),
        ("__A__", [3]),
        ("foo", [4]),
        ("bar-foo", [4]),
        ("foo.bar", [5]),
        ("3.14", [6]),
        ("14", []),
        ("1,000", [6]),
        ("000", []),
        ("a1b2", [7]),
        ("a1", []),
        ("本", [8]),
        ("語日", [8]),
        ("köln STRASSE", []),
        ("köln straße", [9]),
        ("x.com", [10]),
        ("me", [10]),
        ("istanbul", [11]),
        ("😀", [12]),
        ("hello", [12]),
        ("a:b", [13]),
        ("a", []),
        ("x" * 255, [14]),
        ("x" * 45, [14]),
        ("x" * 300, [14]),
        ("x" * 254, []),
        ("u.s.a", [15]),
        ("s", []),
        ("ab", [16]),
        ("ef", []),
        ("ef\u00adgh", [17]),
        ("οδυσσευσ", [18]),
        ("οδυσσευς", []),
        ("カタカナ", [19]),
        ("カタ", []),
        ("らひ", [19]),
        ("...", []),
        ("!?", []),
        ("-", []),
        ("_", []),
    ],
)
def test_words(texts, sought, places):
    """A text is found by all of its words that are asked for; what has no word finds nothing."""
    assert found(texts, ALL.promoted_text("note", sought)) == [f"t{place:02}" for place in places]


def test_a_number_and_a_flag_have_words(world):
    """A number as Python writes it: copies are made of values."""
    index(world, a='{"note": 12.50}', b='{"note": true}', c='{"note": ["x", 7]}')

    assert found(world, ALL.promoted_text("note", "12.5")) == ["a"]
    assert found(world, ALL.promoted_text("note", "TRUE")) == ["b"]
    assert found(world, ALL.promoted_text("note", "7")) == ["c"]


def test_facets_by_a_number(world):
    """Numbers are counted as they are written; equal counts come in the order of the values."""
    texts = ["1", "2.50", "2.5", "1e2", "-0", '"1"', "[1, 1, 3]", "true", "null", '{"deep": 4}']
    index(world, **{f"n{place}": f'{{"v": {text}}}' for place, text in enumerate(texts)})

    facets = world.search.facets(ALL, "data.v")
    assert facets.counts == tuple(
        FacetCount(value, count)
        for value, count in [("1", 3), ("-0", 1), ("1e2", 1), ("2.5", 1), ("2.50", 1), ("3", 1), ("true", 1)]
    )
    assert world.search.facets(ALL, "data.v.deep").counts == (FacetCount("4", 1),)
    few = world.search.facets(ALL, "data.v", 2)
    assert (few.counts, few.others) == ((FacetCount("1", 3), FacetCount("-0", 1)), 5)


def test_a_long_value_is_counted_in_utf_16_units(world):
    """A character beyond the first 65,536 counts twice: 512 of them can be found, 513 cannot."""
    index(world, a=json.dumps({"v": "𝄞" * 512}), b=json.dumps({"v": "𝄞" * 513}), c=json.dumps({"v": "é" * 1024}))

    assert {facet.value for facet in world.search.facets(ALL, "data.v").counts} == {"𝄞" * 512, "é" * 1024}
    assert found(world, ALL.data("v", "𝄞" * 512)) == ["a"]
