"""Compares a registry with a store. Pure: what is registered and what was counted in, findings out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from eventstore.schema.event_types import EventTypes
from eventstore.schema.upcasting import Kind, MissingUpcaster, UnknownType, UnknownVersion

SchemaFindingKind = Literal["gap", "no_class", "unknown_type", "unknown_version", "unreadable", "corrupt"]
"""What is wrong with events of a type and version."""


@dataclass(frozen=True, slots=True)
class SchemaFinding:
    """Something to look at.

    Attributes:
        kind: `gap`: no upcaster leads on from a known version. `no_class`: a type whose latest version has no class.
            `unknown_type`, `unknown_version`: stored, and not registered. `unreadable`: an event was tried and could
            not be read. `corrupt`: a row whose type or version cannot be read.
        event_type: The type; empty for a corrupt row.
        schema_version: The version; 0 for a corrupt row.
        stored: How many events of it are in the store; None when nobody counted.
        example: One of them, `aggregate id/sequence number`; None when there is none.
        message: What it is and what to do, a sentence for a person.
        is_error: Whether events cannot be read because of it; otherwise it is a note.
    """

    kind: SchemaFindingKind
    event_type: str
    schema_version: int
    stored: int | None
    example: str | None
    message: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Stored:
    """What a scan found of one type and version.

    Attributes:
        count: How many events.
        aggregate_id: Aggregate of the first one met.
        sequence_number: Its number.
    """

    count: int
    aggregate_id: str
    sequence_number: int

    @property
    def example(self) -> str:
        """The first one met, as a person would write it."""
        return f"{self.aggregate_id}/{self.sequence_number}"


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """What a schema check found.

    Attributes:
        findings: Errors first, then by type and version.
        stored: How many events the store has of each type and version; empty when it was not scanned.
    """

    findings: tuple[SchemaFinding, ...]
    stored: Mapping[Kind, int]

    @property
    def ok(self) -> bool:
        """Whether every event can be read."""
        return not any(finding.is_error for finding in self.findings)


def judge(events: EventTypes, stored: Mapping[Kind, Stored] | None) -> list[SchemaFinding]:
    """Return what is wrong with a registry, and with a store that it is to read.

    Args:
        events: The registry.
        stored: What a scan found; None when there was none.
    """
    counted = stored or {}
    findings = []
    for kind in sorted(events.known() | set(counted)):
        count = None if stored is None else (counted[kind].count if kind in counted else 0)
        example = counted[kind].example if kind in counted else None
        found = _judge_kind(events, kind)
        if found is not None:
            name, message, is_error = found
            findings.append(SchemaFinding(name, *kind, count, example, message, is_error))
    return findings


def ordered(findings: list[SchemaFinding]) -> tuple[SchemaFinding, ...]:
    """Return findings with errors first, then by type and version."""
    return tuple(
        sorted(findings, key=lambda each: (not each.is_error, each.event_type, each.schema_version, each.kind))
    )


def _judge_kind(events: EventTypes, kind: Kind) -> tuple[SchemaFindingKind, str, bool] | None:
    event_type, version = kind
    consequence = "strict reading refuses it" if events.strict else "it is read as a plain dict"
    match events.way_from(kind):
        case MissingUpcaster(at, latest):
            missing = f"no upcaster leads from {at[0]!r} version {at[1]} towards {latest}"
            return "gap", f"{missing}; register `upcaster({at[0]!r}, {at[1]})`", True
        case UnknownType():
            return "unknown_type", f"{event_type!r} is stored and not registered; {consequence}", events.strict
        case UnknownVersion(at, latest):
            known = f"{at[0]!r} version {at[1]} is stored, and {latest} is the latest one registered"
            return "unknown_version", f"{known}: this program is older than the events; update it", True
        case _:
            if (
                version == events.latest_of(event_type)
                and not events.has_way_on(kind)
                and events.class_of(kind) is None
            ):
                return "no_class", f"{event_type!r} version {version} has no class; it is read as a plain dict", False
            return None
