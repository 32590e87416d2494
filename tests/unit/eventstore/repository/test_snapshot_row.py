"""States at rest: their rows, attribute by attribute, their keys, and which may be used."""

import hashlib
from dataclasses import replace

import pytest

from eventstore.errors import CorruptRowError
from eventstore.repository.snapshot_row import (
    Snapshot,
    aggregate_key,
    decode,
    encode,
    projection_key,
    put_request,
    read_model_key,
    swap_request,
    usable,
)

ROW = {
    "aggregateId": {"S": "item-1"},
    "sequenceNumber": {"N": "7"},
    "fold": {"S": "stock@3"},
    "epoch": {"N": "2"},
    "takenAt": {"N": "1735689600123"},
    "state": {"S": "{}"},
}
SNAPSHOT = Snapshot("item-1", 7, "stock@3", 2, 1_735_689_600_123, "{}")


def test_a_snapshot_is_stored_under_these_names() -> None:
    """
    And is read back from them.
    """
    assert encode(SNAPSHOT) == ROW
    assert decode(ROW, "snapshots") == SNAPSHOT


def test_a_snapshot_replaces_none_that_is_newer() -> None:
    """
    Of a later epoch, or of a later event within the same one.
    """
    assert put_request(SNAPSHOT, "snapshots") == {
        "TableName": "snapshots",
        "Item": ROW,
        "ConditionExpression": (
            "attribute_not_exists(aggregateId) OR attribute_not_exists(sequenceNumber) OR epoch < :epoch"
            " OR (epoch = :epoch AND (sequenceNumber < :version OR (sequenceNumber = :version AND fold <> :fold)))"
        ),
        "ExpressionAttributeValues": {":epoch": {"N": "2"}, ":version": {"N": "7"}, ":fold": {"S": "stock@3"}},
    }


def test_a_read_models_row_replaces_the_one_it_was_made_from() -> None:
    """
    Or one of another fold, or of an earlier epoch.
    """
    assert swap_request(SNAPSHOT, "snapshots", replaces=5) == {
        "TableName": "snapshots",
        "Item": ROW,
        "ConditionExpression": (
            "attribute_not_exists(aggregateId) OR fold <> :fold OR epoch < :epoch OR sequenceNumber = :replaces"
        ),
        "ExpressionAttributeValues": {":epoch": {"N": "2"}, ":replaces": {"N": "5"}, ":fold": {"S": "stock@3"}},
    }


@pytest.mark.parametrize("name", list(ROW))
def test_a_broken_row_is_named_and_of_no_use(name: str) -> None:
    """
    The state is folded anew.
    """
    broken = {each: value for each, value in ROW.items() if each != name}

    with pytest.raises(CorruptRowError) as caught:
        decode(broken, "snapshots")
    assert (caught.value.table, caught.value.field) == ("snapshots", name)
    assert usable(broken, "snapshots", fold="stock@3", epoch=2) is None


def test_a_snapshot_is_used_by_its_fold_in_its_epoch() -> None:
    """
    By no other, in no other; and one of no event is of no use.
    """
    assert usable(ROW, "snapshots", fold="stock@3", epoch=2) == SNAPSHOT
    assert usable(ROW, "snapshots", fold="stock@4", epoch=2) is None
    assert usable(ROW, "snapshots", fold="stock@3", epoch=1) is None
    assert usable(ROW, "snapshots", fold="stock@3", epoch=3) is None
    first = replace(SNAPSHOT, version=1)
    assert usable(encode(first), "snapshots", fold="stock@3", epoch=2) == first
    assert usable(encode(replace(first, version=0)), "snapshots", fold="stock@3", epoch=2) is None


@pytest.mark.parametrize("kind", ["aggregate/", "projection/", "read-model/"])
def test_keys_of_different_kinds_never_meet(kind: str) -> None:
    """
    An aggregate's key is its id, unless that looks like a key of another kind.
    """
    assert aggregate_key("item-1") == "item-1"
    assert aggregate_key(f"x{kind}") == f"x{kind}"
    assert aggregate_key(f"{kind}a") == f"aggregate/{kind}a"
    assert projection_key("stock", "item-1") == "projection/stock/item-1"
    assert read_model_key("stock", 3) == "read-model/stock@3"


def test_what_is_too_long_for_a_key_has_a_digest_in_its_place() -> None:
    """
    Beyond 2,048 bytes of UTF-8.
    """
    fits = "ä" * 1_015 + "a"
    assert projection_key("stock", fits) == f"projection/stock/{fits}"
    assert len(projection_key("stock", fits).encode()) == 2_048

    digest = hashlib.sha256(f"projection/stock/{fits}a".encode()).hexdigest()
    assert projection_key("stock", f"{fits}a") == f"projection/{digest}"
