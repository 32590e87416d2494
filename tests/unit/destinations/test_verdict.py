"""What each verdict of the index means."""

import pytest

from relay.destinations.verdict import ItemVerdict, Ruling, rule


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
    ],
)
def test_rulings(status, error_type, ruling):
    """Only a refusal that says something about the document parks a commit."""
    assert rule(ItemVerdict("e", status, error_type)) is ruling
