"""What one item of a bulk reply means for its event."""

import re
from dataclasses import dataclass
from enum import StrEnum

from eventstore.search.fields import DATA, METADATA, PROMOTED

CONFLICT = 409


@dataclass(frozen=True, slots=True)
class ItemVerdict:
    """What the index says about one event of a bulk request.

    Attributes:
        event_id: The document's id.
        status: HTTP status of the item.
        error_type: Elasticsearch's name for the error, if any.
        reason: Its words.
    """

    event_id: str
    status: int
    error_type: str | None = None
    reason: str | None = None


_OF_THE_DOCUMENT = frozenset(
    {
        "document_parsing_exception",
        "json_e_o_f_exception",
        "json_parse_exception",
        "mapper_parsing_exception",
        "stream_constraints_exception",
        "x_content_e_o_f_exception",
        "x_content_parse_exception",
    },
)
"""Refusals of a whole request, as where a pipeline reads it, that are about the text of a document in it."""


def is_of_the_document(error_type: str) -> bool:
    """Tell whether a whole request was refused for the text of a document, and not for what the index is like."""
    return error_type in _OF_THE_DOCUMENT


class Ruling(StrEnum):
    """What to do about an item."""

    DONE = "done"
    RETRY = "retry"
    PARK = "park"
    MISCONFIGURED = "misconfigured"


_BUSY = frozenset({"cluster_block_exception"})
"""Comes as 403, 429 or 503; a full disk or a block for maintenance, which pass."""

_NOT_THE_DOCUMENT = frozenset(
    {
        "index_closed_exception",
        "invalid_alias_name_exception",
        "invalid_index_name_exception",
        "routing_missing_exception",
        "strict_dynamic_mapping_exception",
        "validation_exception",  # the cluster may hold no more shards, so a new month's index cannot be made
    },
)
"""Refusals with status 400 which say something about the index; the document is innocent."""

_OF_THE_INDEX = re.compile(r"pipeline with id \[.*\] does not exist|no write index is defined for alias")
"""What it says with a type that is also said of documents."""

_FIELD = re.compile(r"failed to parse field \[(?P<path>[^\]]*)\] of type \[(?P<type>[^\]]*)\]")
_MAPPED = re.compile(
    r"object mapping for \[(?P<path>[^\]]*)\] tried to parse|write to a field alias \[(?P<alias>[^\]]*)\]"
)


def rule(verdict: ItemVerdict) -> Ruling:
    """Return what to do about an item."""
    status = verdict.status
    if 200 <= status < 300 or status == CONFLICT:  # noqa: PLR2004 - success; and there already, under the same id
        return Ruling.DONE
    if verdict.error_type in _BUSY or status == 429 or status >= 500:  # noqa: PLR2004 - HTTP: too many requests; server
        return Ruling.RETRY
    if not 400 <= status < 500:  # noqa: PLR2004 - HTTP: nothing that an item can end in, so nothing is known of it
        return Ruling.RETRY
    reason = verdict.reason or ""
    if status in {401, 403, 404} or verdict.error_type in _NOT_THE_DOCUMENT or _OF_THE_INDEX.match(reason):
        return Ruling.MISCONFIGURED
    return Ruling.MISCONFIGURED if _is_of_another_mapping(reason) else Ruling.PARK


def _is_of_another_mapping(reason: str) -> bool:
    """Tell whether an index refuses because its mapping is not ours: then it would refuse one event after another.

    Our own mapping can refuse a document for its payload or metadata alone, as `flattened` fields.
    """
    field = _FIELD.search(reason)
    if field is not None:
        if field["path"] in {DATA, METADATA}:
            return field["type"] != "flattened"
        return not field["path"].startswith(f"{PROMOTED}.")
    mapped = _MAPPED.search(reason)
    return mapped is not None and not (mapped["path"] or mapped["alias"]).startswith(f"{PROMOTED}.")
