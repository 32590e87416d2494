"""The commits of one TransactWriteItems, frozen: every attempt sends the same bytes under the same token. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore import limits
from eventstore.append.commit import PreparedCommit, Role
from eventstore.errors import LimitExceededError

TOKEN_MAX_CHARACTERS = 36
"""Source: AWS, API reference of TransactWriteItems, ClientRequestToken."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One request, for one aggregate or several.

    Attributes:
        commits: One per aggregate.
        roles: For each action of the request, the index of its commit and what it is there for.
        request: Arguments of TransactWriteItems.
    """

    commits: tuple[PreparedCommit, ...]
    roles: tuple[tuple[int, Role], ...]
    request: Mapping[str, Any]


def assemble(commits: Sequence[PreparedCommit], field: str = "events") -> Transaction:
    """Put commits together; the first one's id is the token, since a commit's id never serves two requests.

    Args:
        commits: One per aggregate.
        field: What to name when all together are too large.

    Raises:
        LimitExceededError: More than 100 actions, or more than 4 MB.
    """
    roles = tuple((index, action.role) for index, commit in enumerate(commits) for action in commit.actions)
    if len(roles) > limits.TRANSACTION_MAX_ACTIONS:
        raise LimitExceededError(field, limit=limits.TRANSACTION_MAX_ACTIONS, actual=len(roles), unit="actions")
    size = sum(commit.size_bytes for commit in commits)
    if size > limits.TRANSACTION_MAX_BYTES:
        raise LimitExceededError(field, limit=limits.TRANSACTION_MAX_BYTES, actual=size, unit="bytes")
    token = commits[0].commit_id
    assert len(token) <= TOKEN_MAX_CHARACTERS, "a commit id is a UUID"
    request = {
        "TransactItems": [action.request for commit in commits for action in commit.actions],
        "ClientRequestToken": token,
    }
    return Transaction(tuple(commits), roles, request)
