"""A check that an aggregate has no more events than its reader knows, for decisions that rest on it. Pure."""

from dataclasses import dataclass

from eventstore.append.commit import Action, Role
from eventstore.rows.item import row_key


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An aggregate that nothing is appended to, and that must be as it was read.

    Attributes:
        aggregate_id: Its id.
        version: How many events it has.
    """

    aggregate_id: str
    version: int

    def action(self, table: str) -> Action:
        """Return the check that its next event is not there."""
        return Action(
            Role.UNCHANGED,
            {
                "ConditionCheck": {
                    "TableName": table,
                    "Key": row_key(self.aggregate_id, self.version + 1),
                    "ConditionExpression": "attribute_not_exists(aggregateId)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
            },
        )
