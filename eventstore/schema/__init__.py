"""How a program's events are shaped: classes, JSON Schemas, and upcasters that lift what was stored long ago."""

from eventstore.schema.event_types import EventTypes
from eventstore.schema.report import SchemaFinding, SchemaReport

__all__ = ["EventTypes", "SchemaFinding", "SchemaReport"]
