"""One aggregate's history, read over pages of every size, with rows of transactions that are not to be seen yet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Any
from unittest.mock import patch

from eventstore import AggregateRef, EventStore, NewEvent, TableNames
from eventstore.dynamodb import tables
from eventstore.testing import InMemoryDynamoDB, ManualRuntime
from tests.exhaustive.enumeration import splits

NAMES = TableNames()
ROWS_MAX = 5
HIDDEN_ROWS = 4
_TEMPLATE = tables.load_template()


class CutClient:
    """Gives pages of the sizes that it is told, and hides some rows from the first look.

    Args:
        client: Of the in-memory DynamoDB.
        sizes: Of the pages, in order; what follows is not cut.
        hidden: Numbers that the queries up to the first end of the rows do not show.
    """

    def __init__(self, client: Any, sizes: Sequence[int], hidden: frozenset[int] = frozenset()) -> None:
        self._client = client
        self._sizes = list(sizes)
        self._hidden = hidden

    def query(self, **request: Any) -> dict[str, Any]:
        if self._sizes:
            size = self._sizes.pop(0)
            request["Limit"] = min(size, request.get("Limit", size))
        reply: dict[str, Any] = self._client.query(**request)
        shown = [item for item in reply["Items"] if int(item["sequenceNumber"]["N"]) not in self._hidden]
        if "LastEvaluatedKey" not in reply:
            self._hidden = frozenset()
        return {**reply, "Items": shown, "Count": len(shown)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@cache
def filled(sizes: tuple[int, ...]) -> Any:
    """Return a client of a database with an aggregate `a` of commits of these sizes."""
    client = InMemoryDynamoDB(clock=ManualRuntime()).client()
    with patch.object(tables, "load_template", lambda: _TEMPLATE):
        tables.init(client, NAMES, ManualRuntime(), protect=False)
    store = EventStore.open(client, NAMES, runtime=ManualRuntime())
    version = 0
    for size in sizes:
        store.append(AggregateRef("A", "a"), [NewEvent("E", {})] * size, expected_version=version)
        version += size
    return client


@dataclass(frozen=True, slots=True)
class Read:
    """A read of a range.

    Attributes:
        commits: Sizes of the aggregate's commits.
        pages: Sizes of the pages.
        after: As in `EventStore.read`.
        limit: Likewise.
        backwards: Newest first.
        hidden: Numbers that the first look does not show.
    """

    commits: tuple[int, ...]
    pages: tuple[int, ...]
    after: int = 0
    limit: int | None = None
    backwards: bool = False
    hidden: frozenset[int] = frozenset()

    def words(self) -> tuple[str, ...]:
        """Return it in words."""
        way = "newest first" if self.backwards else "oldest first"
        hidden = f", first without {sorted(self.hidden)}" if self.hidden else ""
        return (
            f"commits of {self.commits} events are stored",
            f"those after {self.after} are read, {way}, at most {self.limit}, in pages of {self.pages}{hidden}",
        )

    def check(self) -> None:
        """What is read is the range, each event once and in order; of a commit all or nothing."""
        client = CutClient(filled(self.commits), self.pages, self.hidden)
        store = EventStore.open(client, NAMES, runtime=ManualRuntime())  # type: ignore[arg-type]
        found = [
            event.sequence_number
            for event in store.read("a", after=self.after, limit=self.limit, backwards=self.backwards)
        ]
        wanted = self._wanted(sum(self.commits))
        if self.hidden:
            assert found in [self._wanted(end) for end in self._ends()], f"it gave {found}"
        else:
            assert found == wanted, f"it gave {found}, and not {wanted}"

    def _wanted(self, end: int) -> list[int]:
        numbers = list(range(self.after + 1, end + 1))
        return (numbers[::-1] if self.backwards else numbers)[: self.limit]

    def _ends(self) -> list[int]:
        """Return where the history may end for a reader: behind each commit of which the first look shows something."""
        ends, end, shown = [], 0, 0
        for size in self.commits:
            end += size
            ends.append(end)
            if set(range(end - size + 1, end + 1)) - self.hidden:
                shown = end
        return [end for end in ends if end >= shown] or [0]


def reads() -> Iterator[Read]:
    """Yield every read of up to `ROWS_MAX` events, one to a commit."""
    for count in range(ROWS_MAX + 1):
        limits = (None, *range(1, count + 2))
        for pages, after, limit, backwards in product(splits(count), range(count + 1), limits, (False, True)):
            yield Read((1,) * count, pages, after, limit, backwards)


def hidden_reads() -> Iterator[Read]:
    """Yield every read of commits of which a first look shows some rows and not yet others."""
    for count in range(1, HIDDEN_ROWS + 1):
        for commits, backwards in product(splits(count), (False, True)):
            for hidden in (set_ for size in range(1, count) for set_ in combinations(range(1, count + 1), size)):
                yield Read(commits, (), backwards=backwards, hidden=frozenset(hidden))
