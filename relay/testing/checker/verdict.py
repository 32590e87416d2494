"""What a check came to: counts, and the promises that were seen to be broken."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.testing.checker.broken import BrokenPromise
from relay.testing.checker.promise import Promise


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """The verdict on a store and what its relay has delivered; as text it can be read.

    Attributes:
        events: Events that are stored.
        commits: Commits that they are of.
        messages: Messages that came, repeats included.
        distinct: Events that came.
        documents: Documents of the index, each id once.
        owed: Rows in the outbox.
        counts: How often each promise was broken; promises that were kept are not in it.
        broken: The first 20 of each promise.
    """

    events: int
    commits: int
    messages: int
    distinct: int
    documents: int
    owed: int
    counts: Mapping[Promise, int] = field(default_factory=dict)
    broken: tuple[BrokenPromise, ...] = ()

    @property
    def repeats(self) -> int:
        """Messages that had come before."""
        return self.messages - self.distinct

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.counts

    def count(self, *promises: Promise) -> int:
        """Return how often some promises were broken, together."""
        return sum(self.counts.get(promise, 0) for promise in promises)

    def __str__(self) -> str:
        seen = f"{self.events:,} events in {self.commits:,} commits, {self.messages:,} messages with"
        seen = f"{seen} {self.repeats:,} repeats, {self.documents:,} documents, {self.owed:,} owed"
        if self.is_clean:
            return f"every promise was kept: {seen}"
        lines = [f"{sum(self.counts.values()):,} broken promises: {seen}"]
        for promise, count in self.counts.items():
            kept = [each for each in self.broken if each.promise is promise]
            lines.append(f"{promise} (broken {count:,} times)")
            lines += [f"  {each.where}: {each.seen}" for each in kept]
            lines += [f"  … and {count - len(kept):,} more"] if count > len(kept) else []
        return "\n".join(lines)
