"""What is known of the indices that events go to: each is looked at before it is filled, since a search must see it."""

from collections.abc import Iterable

from relay.destinations.index.client import IndexClient


class Months:
    """Remembers which indices a search sees.

    Args:
        client: Looks at them.
    """

    def __init__(self, client: IndexClient) -> None:
        self._client = client
        self._seen: set[str] = set()
        self.hidden: dict[str, str] = {}

    def unknown(self, indices: Iterable[str]) -> set[str]:
        """Return those of which it is not known that a search sees them."""
        return set(indices) - self._seen

    def look(self, indices: Iterable[str], timeout_seconds: float) -> set[str]:
        """Look at indices, and remember what a search sees of them; return those that are not there yet.

        Raises:
            IndexClientError: See `IndexClient.look`.
        """
        wanted = set(indices)
        found = self._client.look(wanted, timeout_seconds)
        for index, why in found.items():
            if why is None:
                self._seen.add(index)
                self.hidden.pop(index, None)
            else:
                self.hidden[index] = why
        return wanted - found.keys()

    def forget(self) -> None:
        """Look at all of them again: somebody may have changed them."""
        self._seen.clear()
        self.hidden.clear()
