"""How a program's events are shaped: classes, JSON Schemas, and upcasters that lift what was stored long ago."""

from eventstore.schema.event_types import EventClass, EventTypes
from eventstore.schema.json_schema import PayloadSchema
from eventstore.schema.report import SchemaFinding, SchemaFindingKind, SchemaReport
from eventstore.schema.upcasting import Kind, MissingUpcaster, Route, Step, UnknownType, UnknownVersion, Upcast, Way

__all__ = [
    "EventClass",
    "EventTypes",
    "Kind",
    "MissingUpcaster",
    "PayloadSchema",
    "Route",
    "SchemaFinding",
    "SchemaFindingKind",
    "SchemaReport",
    "Step",
    "UnknownType",
    "UnknownVersion",
    "Upcast",
    "Way",
]
