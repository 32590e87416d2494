"""What change records of the outbox ask for."""

import pytest

from eventstore.rows.outbox import OutboxRow
from relay.feed import change


@pytest.mark.parametrize("no_marks", [{"M": {}}, {}], ids=["AWS", "DynamoDB Local"])
def test_a_released_row_without_any_mark(no_marks):
    """
    The last mark's release leaves an empty map; DynamoDB Local writes it without its kind. The row is work, not broken.
    """
    image = {
        "aggregateId": {"S": "SKU-1"},
        "sequenceNumber": {"N": "2"},
        "firstSequence": {"N": "2"},
        "commitId": {"S": "01a20999-a227-7000-993a-6a13d66beaa5"},
        "aggregateType": {"S": "ITEM"},
        "committedAt": {"N": "1795457163983"},
        "epoch": {"N": "1"},
        "parked": no_marks,
        "releasedAt": {"N": "1795457164983"},
    }

    found = change.of_record({"eventName": "MODIFY", "dynamodb": {"NewImage": image}}, "inventory_outbox")

    assert isinstance(found, OutboxRow)
    assert found.defect is None
    assert found.parked == {}
