"""What each verdict of the index means."""

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError

from relay.destinations.index.bulk_item import ItemVerdict, Ruling, is_of_the_document, rule
from relay.destinations.index.elasticsearch_replies import refusal


@pytest.mark.parametrize(
    ("status", "error_type", "ruling"),
    [
        (201, None, Ruling.DONE),
        (200, None, Ruling.DONE),
        (409, "version_conflict_engine_exception", Ruling.DONE),
        (429, "es_rejected_execution_exception", Ruling.RETRY),
        (429, "cluster_block_exception", Ruling.RETRY),
        (403, "cluster_block_exception", Ruling.RETRY),
        (503, "unavailable_shards_exception", Ruling.RETRY),
        (500, "illegal_state_exception", Ruling.RETRY),
        (400, "document_parsing_exception", Ruling.PARK),
        (400, "mapper_parsing_exception", Ruling.PARK),
        (400, "illegal_argument_exception", Ruling.PARK),
        (400, "validation_exception", Ruling.MISCONFIGURED),
        (400, "index_closed_exception", Ruling.MISCONFIGURED),
        (400, "invalid_index_name_exception", Ruling.MISCONFIGURED),
        (401, "security_exception", Ruling.MISCONFIGURED),
        (403, "security_exception", Ruling.MISCONFIGURED),
        (404, "index_not_found_exception", Ruling.MISCONFIGURED),
        *[(status, None, Ruling.RETRY) for status in (-1, 0, 100, 199, 302, 399, 600, 10**9)],
        (302, "document_parsing_exception", Ruling.RETRY),
    ],
)
def test_rulings(status, error_type, ruling):
    """Only a refusal that says something about the document parks a commit."""
    assert rule(ItemVerdict("e", status, error_type)) is ruling


@pytest.mark.parametrize(
    ("error_type", "reason", "ruling"),
    [
        ("document_parsing_exception", "[1:209] failed to parse field [data] of type [flattened] in …", Ruling.PARK),
        (
            "document_parsing_exception",
            "[1:235] failed to parse field [metadata] of type [flattened] in …",
            Ruling.PARK,
        ),
        (
            "document_parsing_exception",
            "[1:300] failed to parse field [promoted.note] of type [text] in …",
            Ruling.PARK,
        ),
        ("document_parsing_exception", "[1:216] Unexpected character", Ruling.PARK),
        ("illegal_argument_exception", "pipeline with id [audit] does not exist", Ruling.MISCONFIGURED),
        ("illegal_argument_exception", "field [x] not present as part of path [x]", Ruling.PARK),
        (
            "illegal_argument_exception",
            "no write index is defined for alias [shop-events-2025.01]",
            Ruling.MISCONFIGURED,
        ),
        ("routing_missing_exception", "routing is required for [shop-events-2025.01]/[a]", Ruling.MISCONFIGURED),
        (
            "document_parsing_exception",
            "[1:170] failed to parse field [timestamp] of type [boolean] in …",
            Ruling.MISCONFIGURED,
        ),
        (
            "document_parsing_exception",
            "[1:221] failed to parse field [data] of type [keyword] in …",
            Ruling.MISCONFIGURED,
        ),
        (
            "document_parsing_exception",
            "[1:220] failed to parse field [data.quantity] of type [date] in …",
            Ruling.MISCONFIGURED,
        ),
        (
            "document_parsing_exception",
            "[1:64] object mapping for [sequence_number] tried to parse field [sequence_number] as object, but found",
            Ruling.MISCONFIGURED,
        ),
        (
            "document_parsing_exception",
            "[1:64] object mapping for [promoted.price] tried to parse field [price] as object, but found a concrete",
            Ruling.PARK,
        ),
        ("document_parsing_exception", "[1:17] Cannot write to a field alias [aggregate_id].", Ruling.MISCONFIGURED),
        ("strict_dynamic_mapping_exception", "[1:17] mapping set to strict, dynamic …", Ruling.MISCONFIGURED),
    ],
)
def test_an_index_of_another_mapping(error_type, reason, ruling):
    """It would refuse every event: a person must fix it, and no commit is parked for it."""
    assert rule(ItemVerdict("e", 400, error_type, reason)) is ruling


def test_no_password_of_an_address_in_a_refusal() -> None:
    """
    A proxy between names itself with its credentials, and the words end up in logs and records.
    """
    meta = ApiResponseMeta(403, "1.1", HttpHeaders(), 0.1, NodeConfig("http", "localhost", 9200))
    told = {"error": {"type": "security_exception", "reason": "refused by http://me:hunter2@proxy.example:3128"}}

    error = refusal(ApiError("security_exception", meta, told))

    assert "hunter2" not in str(error)
    assert "http://***@proxy.example:3128" in str(error)


def test_rulings_have_these_names():
    """Metrics show them."""
    assert [str(ruling) for ruling in Ruling] == ["done", "retry", "park", "misconfigured"]
    assert ItemVerdict("e", 201) == ItemVerdict("e", 201, None, None)


@pytest.mark.parametrize(
    ("error_type", "wanted"),
    [
        *[
            (error_type, True)
            for error_type in (
                "document_parsing_exception",
                "json_e_o_f_exception",
                "json_parse_exception",
                "mapper_parsing_exception",
                "stream_constraints_exception",
                "x_content_e_o_f_exception",
                "x_content_parse_exception",
            )
        ],
        ("index_closed_exception", False),
        ("", False),
    ],
)
def test_a_whole_request_is_refused_for_the_text_of_a_document(error_type, wanted):
    """Or for what the index is like."""
    assert is_of_the_document(error_type) is wanted


@pytest.mark.parametrize(
    ("status", "error_type", "ruling"),
    [
        (299, None, Ruling.DONE),
        (300, None, Ruling.RETRY),
        (399, "document_parsing_exception", Ruling.RETRY),
        (499, "document_parsing_exception", Ruling.PARK),
        (500, "document_parsing_exception", Ruling.RETRY),
        (400, None, Ruling.PARK),
        (400, "invalid_alias_name_exception", Ruling.MISCONFIGURED),
        (400, "routing_missing_exception", Ruling.MISCONFIGURED),
        (400, "strict_dynamic_mapping_exception", Ruling.MISCONFIGURED),
    ],
)
def test_rulings_at_their_bounds(status, error_type, ruling):
    """Of status, and of what is known by name."""
    assert rule(ItemVerdict("e", status, error_type)) is ruling
