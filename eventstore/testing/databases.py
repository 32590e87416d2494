"""The databases of a development server: one for each access key id in each region."""

from collections.abc import Callable
from threading import Lock

from eventstore.testing.dynamodb import InMemoryDynamoDB
from eventstore.testing.dynamodb.database import REGION_DEFAULT
from eventstore.testing.dynamodb.errors import ServiceError

DATABASES_MAX = 1000


class Databases:
    """A database for each access key id in each region, made when it is first used.

    Args:
        make: Makes one; it is given how many there were before, and the region.
    """

    def __init__(self, make: Callable[[int, str], InMemoryDynamoDB]) -> None:
        self._make = make
        self._made: dict[tuple[str, str], InMemoryDynamoDB] = {}
        self._lock = Lock()

    def of(self, access_key_id: str, region: str = REGION_DEFAULT) -> InMemoryDynamoDB:
        """Return the database of an access key id in a region.

        Raises:
            ServiceError: LimitExceededException; there are `DATABASES_MAX` already.
        """
        with self._lock:
            found = self._made.get((access_key_id, region))
            if found is None:
                if len(self._made) >= DATABASES_MAX:
                    detail = f"There are {DATABASES_MAX} databases already; use one of their access key ids"
                    raise ServiceError("LimitExceededException", detail)
                found = self._made[access_key_id, region] = self._make(len(self._made), region)
            return found
