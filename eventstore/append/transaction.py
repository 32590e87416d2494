"""The commits of one TransactWriteItems, frozen: every attempt sends the same bytes under the same token. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore import limits
from eventstore.append.also import AlsoWrite
from eventstore.append.commit import PreparedCommit, Role
from eventstore.append.unchanged import Unchanged
from eventstore.errors import LimitExceededError

TOKEN_MAX_CHARACTERS = 36
"""Source: AWS, API reference of TransactWriteItems, ClientRequestToken."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What goes along with the commits and belongs to none of them.

    Attributes:
        also: Writes of the caller's own, those of single appends included.
        unchanged: Aggregates that must be as they were read.
    """

    also: Sequence[AlsoWrite] = ()
    unchanged: Sequence[Unchanged] = ()


NOTHING_BESIDE = Beside()


@dataclass(frozen=True, slots=True)
class Transaction:
    """One request, for one aggregate or several.

    Attributes:
        commits: One per aggregate.
        roles: For each action of the request what it is there for, and the index of its commit; of an action of
            `beside` its index there.
        request: Arguments of TransactWriteItems.
        beside: What goes along with the commits.
    """

    commits: tuple[PreparedCommit, ...]
    roles: tuple[tuple[int, Role], ...]
    request: Mapping[str, Any]
    beside: Beside = NOTHING_BESIDE


def assemble(
    commits: Sequence[PreparedCommit], field: str = "events", beside: Beside = NOTHING_BESIDE, *, table: str = ""
) -> Transaction:
    """Put commits together; the first one's id is the token, since a commit's id never serves two requests.

    Args:
        commits: One per aggregate.
        field: What to name when all together are too large.
        beside: What goes along with them.
        table: The events table, for aggregates that must be as they were read.

    Raises:
        LimitExceededError: More than 100 actions, or more than 4 MB.
    """
    placed = [(index, action) for index, each in enumerate(commits) for action in each.actions]
    placed += [(index, each.action(table)) for index, each in enumerate(beside.unchanged)]
    placed += [(index, each.action) for index, each in enumerate(beside.also)]
    if len(placed) > limits.TRANSACTION_MAX_ACTIONS:
        raise LimitExceededError(field, limit=limits.TRANSACTION_MAX_ACTIONS, actual=len(placed), unit="actions")
    size = sum(commit.size_bytes for commit in commits) + sum(each.size_bytes for each in beside.also)
    if size > limits.TRANSACTION_MAX_BYTES:
        raise LimitExceededError(field, limit=limits.TRANSACTION_MAX_BYTES, actual=size, unit="bytes")
    token = commits[0].commit_id
    assert len(token) <= TOKEN_MAX_CHARACTERS, "a commit id is a UUID"
    request = {"TransactItems": [action.request for _, action in placed], "ClientRequestToken": token}
    return Transaction(tuple(commits), tuple((index, action.role) for index, action in placed), request, beside)
