"""What writers send, what they expected when it was stored, and what they are told: each by its content."""

import json
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any

from eventstore import ANY, EXISTS
from eventstore.errors import EventStoreError, WrongExpectedVersionError
from eventstore.expectation import Expectation
from eventstore.model import AppendResult
from tests.simulation.ledger import Ledger, TrueCommit

ONE_REQUEST = "a commit's id names one request"
EXPECTED = "an append is stored where it was expected"
ANSWER = "a writer is told what is true"

_ACCEPTS: Mapping[object, Callable[[int], bool]] = {ANY: lambda _: True, EXISTS: lambda head: head > 0}


class Attempts:
    """Looks on while writers append.

    Args:
        ledger: Knows what is stored, and is told of a broken promise.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._sent: dict[str, bytes] = {}
        self._tokens: dict[str, str] = {}
        self._expected: dict[str, int | Expectation] = {}
        self._told: dict[str, AppendResult] = {}
        self._reached: dict[str, int] = {}
        ledger.on_commit = self._stored

    def begin_anew(self) -> None:
        """Another generation of the tables begins; keys and versions of the former one are void."""
        self._told.clear()
        self._reached.clear()
        self._expected.clear()

    def sending(self, operation: str, request: Mapping[str, Any]) -> None:
        """Look at a request on its way to DynamoDB: what an append sends again is the same, under the same token."""
        if operation != "TransactWriteItems":
            return
        rows = [action["Put"]["Item"] for action in request["TransactItems"] if "Put" in action]
        ids = {row["commitId"]["S"] for row in rows if "firstSequence" in row}
        if not ids:
            return
        token = request.get("ClientRequestToken", "")
        whole = blake2b(json.dumps(request, sort_keys=True, default=repr).encode()).digest()
        for commit_id in ids:
            if self._sent.setdefault(commit_id, whole) != whole or self._tokens.setdefault(commit_id, token) != token:
                self._ledger.broken(ONE_REQUEST, f"{commit_id} is sent with other rows, or under another token")
        if not token:
            self._ledger.broken(ONE_REQUEST, f"{sorted(ids)} is sent without a token")

    def reached(self) -> Mapping[str, int]:
        """Return the versions that writers were told of; what is under way may not be readable yet."""
        return dict(self._reached)

    def expect(self, request: str, expected: int | Expectation) -> None:
        """Note what a writer expects of an aggregate, right before it appends."""
        self._expected[request] = expected

    def _stored(self, commit: TrueCommit) -> None:
        """Look at the head of the aggregate at the moment when a commit is stored."""
        expected, head = self._expected.get(commit.request), commit.first - 1
        if expected is None:
            return
        accepts = _ACCEPTS.get(expected, lambda at: at == expected)
        if not accepts(head):
            self._ledger.broken(EXPECTED, f"{commit.request} at {head} and not at {expected}")

    def answered(self, request: str, result: AppendResult, *, has_key: bool) -> None:
        """Look at the answer to an append: a repeated key gets the first one, whatever was appended since."""
        commit = self._ledger.by_number.get((result.aggregate.id, result.version))
        if commit is None or result.version - result.first_sequence + 1 != len(commit.events):
            self._ledger.broken(ANSWER, f"{request}: {result}, and there is {commit}")
        self._reached[result.aggregate.id] = max(result.version, self._reached.get(result.aggregate.id, 0))
        if result.attempts < 1:
            self._ledger.broken(ANSWER, f"{request} was stored by {result.attempts} attempts")
        first = self._told.setdefault(request, result)
        if has_key and _place_of(first) != _place_of(result):
            self._ledger.broken(ANSWER, f"{request} under its key: {result}, and {first} the first time")
        if first is not result and not result.already_stored:
            self._ledger.broken(ANSWER, f"{request} is told again as new: {result}")

    def refused(self, error: EventStoreError, before: Mapping[str, int]) -> None:
        """Look at a refusal: the version that it tells was the aggregate's, since the append began.

        Args:
            error: What the writer was told.
            before: What writers had been told of when it began; see `reached`.
        """
        if not isinstance(error, WrongExpectedVersionError):
            return
        lowest, highest = before.get(error.aggregate_id, 0), self._ledger.versions.get(error.aggregate_id, 0)
        told = error.at_least if error.actual is None else error.actual
        is_possible = told <= highest and (error.actual is None or lowest <= told)
        if not is_possible or error.actual == error.expected:
            detail = f"{error.aggregate_id} is told to be at {told}, not {error.expected}; it was at {lowest}-{highest}"
            self._ledger.broken(ANSWER, detail)


def _place_of(result: AppendResult) -> tuple[str, str, int, int]:
    return result.aggregate.id, result.commit_id, result.first_sequence, result.version
