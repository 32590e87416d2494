"""A store opened from the settings of this process."""

from eventstore.backoff import Backoff
from eventstore.context import StoreOptions
from eventstore.schema import EventTypes
from eventstore.store import EventStore

_READ_ATTEMPTS = 3
"""A person waits: a server that takes connections and never answers is given up on after half a minute."""


def open_store(events: EventTypes | None = None) -> EventStore:
    """Return the store that environment and env file name.

    Args:
        events: What a program knows about its events; left out, they are shown as they are stored.

    Raises:
        SetUpError: Settings are wrong, or the tables are not there.
        UnreachableError: DynamoDB did not answer.
    """
    options = StoreOptions(read_backoff=Backoff(attempts_max=_READ_ATTEMPTS))
    return EventStore.from_environment(options=options, events=events)
