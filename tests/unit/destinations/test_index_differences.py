"""What an index has against what it must have, on replies of Elasticsearch written down by hand."""

import copy

import pytest

from relay.destinations.index import differences as index_differences
from relay.destinations.index.differences import AddAlias, PutMapping, PutTemplate
from relay.destinations.index.settings import IndexSettings, PromotedType
from relay.destinations.index.template import template
from relay.destinations.resource_names import Names

NAMES = Names("shop")
WANTED = template(IndexSettings(names=NAMES, promoted={"price.amount": PromotedType.DOUBLE}))
STORED = {
    "index_patterns": ["shop-events-*"],
    "priority": 204,
    "version": 3,
    "composed_of": [],
    "template": {
        "settings": {"index": {"number_of_shards": "1", "number_of_replicas": "1"}},
        "mappings": {
            "dynamic": False,
            "properties": {
                "aggregate_id": {"type": "keyword"},
                "aggregate_type": {"type": "keyword"},
                "sequence_number": {"type": "long"},
                "event_type": {"type": "keyword"},
                "event_id": {"type": "keyword"},
                "commit_id": {"type": "keyword"},
                "commit_first": {"type": "long"},
                "commit_last": {"type": "long"},
                "timestamp": {"format": "epoch_millis", "type": "date"},
                "schema_version": {"type": "integer"},
                "epoch": {"type": "long"},
                "data": {"ignore_above": 1024, "type": "flattened", "depth_limit": 72},
                "metadata": {"ignore_above": 1024, "type": "flattened", "depth_limit": 72},
                "promoted": {
                    "dynamic": "false",
                    "properties": {
                        "price": {
                            "properties": {"amount": {"type": "double", "ignore_malformed": True, "coerce": False}}
                        }
                    },
                },
                "unpromoted": {"type": "keyword"},
            },
        },
        "aliases": {"shop-events": {}},
    },
}
MAPPINGS = WANTED["template"]["mappings"]
MONTH = {
    "aliases": {"shop-events": {}},
    "mappings": STORED["template"]["mappings"] | {"dynamic": "false"},
    "settings": {"index.number_of_shards": "1"},
}


def changed(state: dict, *path: str, to: object = None, remove: bool = False) -> dict:
    """Return a copy in which one value is another, or missing."""
    made = copy.deepcopy(state)
    place = made
    for name in path[:-1]:
        place = place[name]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return made


def of_index(state: dict, index: str = "shop-events-2025.01") -> list[tuple[str, str, object]]:
    found = index_differences.of_index(index, state, MAPPINGS, NAMES)
    return [(each.thing, each.problem, each.remedy) for each in found]


def test_all_is_as_wanted():
    """Elasticsearch tells numbers and truth values as text, and dots in names as levels: no difference."""
    assert index_differences.of_template(WANTED, STORED, NAMES) == ([], [])
    assert index_differences.of_next_month(WANTED, {"template": STORED["template"]}, NAMES) == []
    assert of_index(MONTH) == []


def test_no_template():
    """It can be made."""
    (found,), notes = index_differences.of_template(WANTED, None, NAMES)

    assert (found.thing, found.problem) == ("index template shop-events", "is missing")
    assert found.remedy == PutTemplate()
    assert notes == []


def test_an_older_template():
    """It can be recreated."""
    (found,), _ = index_differences.of_template(WANTED, changed(STORED, "version", to=1), NAMES)

    assert (found.problem, found.remedy) == ("has version 1, wanted is 3", PutTemplate())


def test_a_newer_template():
    """It belongs to a newer relay: no difference, but said."""
    differences, (note,) = index_differences.of_template(WANTED, changed(STORED, "version", to=4), NAMES)

    assert differences == []
    assert "has version 4, this relay's is 3" in note


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("priority",), 150, "priority"),
        (("index_patterns",), ["shop-*"], "index_patterns"),
        (("template", "settings", "index", "number_of_replicas"), "0", "settings.number_of_replicas"),
        (("template", "mappings", "dynamic"), True, "mappings.dynamic"),
        (("template", "mappings", "properties", "epoch", "type"), "keyword", "mappings.epoch"),
        (("template", "mappings", "properties", "data", "depth_limit"), 20, "mappings.data"),
        (("template", "mappings", "properties", "promoted"), {"properties": {}}, "mappings.promoted.price.amount"),
        (("template", "aliases"), {}, "aliases.shop-events"),
        (("template", "aliases"), {"shop-events": {"filter": {"match_all": {}}}}, "aliases.shop-events"),
    ],
)
def test_a_template_of_our_version_that_differs(path, value, words):
    """What differs is named, and it can be recreated."""
    (found,), _ = index_differences.of_template(WANTED, changed(STORED, *path, to=value), NAMES)

    assert (found.problem, found.remedy) == (f"differs in {words}", PutTemplate())


def test_another_template_wins():
    """Ours is there and a new month's index would be made from another: only a person can say which is right."""
    (found,) = index_differences.of_next_month(WANTED, {"template": {"mappings": {}}}, NAMES)

    assert "aliases.shop-events" in found.problem
    assert "mappings.timestamp" in found.problem
    assert found.remedy is None


def test_an_index_where_the_alias_must_be():
    """Somebody wrote to the alias before it was one."""
    assert of_index(MONTH, "shop-events") == [("index shop-events", "stands where the alias must be", None)]


def test_a_stranger_under_the_alias():
    """Searches would read it."""
    assert of_index(MONTH, "other") == [
        ("index other", "is under the alias shop-events but is not a monthly index", None)
    ]


def test_a_month_outside_of_the_alias():
    """Searches miss it; it can be fixed."""
    ((thing, problem, remedy),) = of_index(changed(MONTH, "aliases", to={}))

    assert (thing, problem) == (
        "index shop-events-2025.01",
        "is not under the alias shop-events: searches miss it",
    )
    assert remedy == AddAlias("shop-events-2025.01")


def test_an_alias_with_a_filter():
    """Searches miss a part of it."""
    ((_, problem, remedy),) = of_index(changed(MONTH, "aliases", "shop-events", to={"filter": {}}))

    assert "with a filter" in problem
    assert remedy == AddAlias("shop-events-2025.01")


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("index.verified_before_close", "is closed"),
        ("index.blocks.write", "has the block write"),
        ("index.blocks.read_only_allow_delete", "has the block read_only_allow_delete"),
    ],
)
def test_a_month_that_takes_nothing(setting, problem):
    """Closed or blocked: a person knows why."""
    assert of_index(changed(MONTH, "settings", setting, to="true")) == [("index shop-events-2025.01", problem, None)]
    assert of_index(changed(MONTH, "settings", setting, to="false")) == []


def test_a_field_that_is_missing():
    """An older month lacks what a newer template has: it can be added."""
    state = changed(MONTH, "mappings", "properties", "promoted", remove=True)

    ((thing, problem, remedy),) = of_index(state)

    assert (thing, problem) == ("index shop-events-2025.01, field promoted.price.amount", "is missing")
    assert remedy == PutMapping("shop-events-2025.01", frozenset({"promoted.price.amount"}))


def test_a_field_of_another_type():
    """It cannot be changed."""
    ((thing, problem, remedy),) = of_index(changed(MONTH, "mappings", "properties", "timestamp", "type", to="keyword"))

    assert (thing, problem) == (
        "index shop-events-2025.01, field timestamp",
        "has type keyword, wanted is date",
    )
    assert remedy is None


def test_an_object_in_a_fields_place():
    """Somebody's first document made the mapping: the payload is an object of fields instead of one field."""
    state = changed(MONTH, "mappings", "properties", "data", to={"properties": {"price": {"type": "float"}}})

    ((_, problem, remedy),) = of_index(state)

    assert (problem, remedy) == ("is missing, and data.price is in its way", None)


def test_a_field_in_an_objects_place():
    """A promoted path lies below something that is a field."""
    state = changed(MONTH, "mappings", "properties", "promoted", to={"type": "keyword"})

    ((_, problem, remedy),) = of_index(state)

    assert (problem, remedy) == ("is missing, and promoted is in its way", None)


def test_a_parameter_that_differs():
    """It is tried to change it; Elasticsearch says whether it may be."""
    ((_, problem, remedy),) = of_index(changed(MONTH, "mappings", "properties", "data", "ignore_above", to=256))

    assert problem == "differs in ignore_above"
    assert remedy == PutMapping("shop-events-2025.01", frozenset({"data"}))


def test_a_mapping_that_grows_by_itself():
    """Payloads would add fields without end."""
    ((_, problem, remedy),) = of_index(changed(MONTH, "mappings", "dynamic", remove=True))

    assert problem == "adds fields to its mapping by itself"
    assert remedy == PutMapping("shop-events-2025.01", frozenset())
