"""A store opened from the settings of this process."""

from eventstore import dynamo, settings
from eventstore.store import EventStore


def open_store() -> EventStore:
    """Return the store that environment and env file name.

    Raises:
        SetUpError: Settings are wrong, or the tables are not there.
        UnreachableError: DynamoDB did not answer.
    """
    chosen = settings.load()
    client, _ = dynamo.connect(chosen.endpoint)
    return EventStore.open(client, chosen.tables)
