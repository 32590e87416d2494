"""Appends on a bad day: throttles, conflicts and replies that get lost."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from eventstore import (
    AccessDeniedError,
    Append,
    EventStore,
    OutcomeUnknownError,
    RequestRefusedError,
    TableMissingError,
    ThrottledError,
    UnreachableError,
    WrongExpectedVersionError,
)

from .conftest import ITEM, FaultyClient, conflict, event, lost, throttle

Rows = Callable[[str], list[dict[str, Any]]]


def test_lost_reply_after_the_write_is_found_out_by_asking_again(
    store: EventStore,
    client: FaultyClient,
    rows: Rows,
) -> None:
    """
    The same bytes under the same token: DynamoDB answers as it did, and nothing is stored twice.
    """
    client.after = [lost()]

    result = store.append(ITEM, [event()], expected_version=0)

    assert result.version == 1
    assert result.attempts == 2
    assert client.sent[0] == client.sent[1]
    assert len(rows("inventory_events")) == 1
    assert len(rows("inventory_outbox")) == 1


def test_own_commit_is_recognised_when_the_token_is_forgotten(
    store: EventStore, client: FaultyClient, rows: Rows
) -> None:
    """
    After ten minutes DynamoDB forgets the token; then the commit id in the rows says that it was us.
    """
    client.after = [lost()]
    client.before = [None, None]
    forget_token(client)

    result = store.append(ITEM, [event()], expected_version=0)

    assert result.already_stored
    assert result.version == 1
    assert len(rows("inventory_events")) == 1


def test_own_commit_is_recognised_above_version_one(store: EventStore, client: FaultyClient) -> None:
    """
    The predecessor check holds then, and the events' own conditions tell.
    """
    store.append(ITEM, [event(1)], expected_version=0)
    client.after = [lost()]
    forget_token(client)

    result = store.append(ITEM, [event(2), event(3)], expected_version=1)

    assert result.already_stored
    assert result.version == 3


def forget_token(client: FaultyClient) -> None:
    """Let every request come under a new token, as if DynamoDB had forgotten the old one."""
    inner = client.inner

    class Forgetful:
        def transact_write_items(self, **request: Any) -> Any:
            request["ClientRequestToken"] = f"other-{len(client.sent)}"
            return inner.transact_write_items(**request)

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    client.inner = Forgetful()


@pytest.mark.parametrize("fault", [throttle, conflict, lost])
def test_a_fault_before_the_write_is_tried_again(
    store: EventStore,
    client: FaultyClient,
    fault: Callable[[], Exception],
) -> None:
    """
    Nothing had happened, so the next attempt stores it.
    """
    client.before = [fault(), fault()]

    result = store.append(ITEM, [event()], expected_version=0)

    assert result.attempts == 3
    assert not result.already_stored


@pytest.mark.parametrize("fault", [throttle, conflict])
def test_endless_refusal_ends_in_throttled(
    store: EventStore, client: FaultyClient, fault: Callable[[], Exception]
) -> None:
    """
    The number of attempts is bounded, and the caller hears when to come back.
    """
    client.before = [fault() for _ in range(4)]

    with pytest.raises(ThrottledError) as caught:
        store.append(ITEM, [event()], expected_version=0)

    assert caught.value.retry_after_seconds >= 0
    assert len(client.sent) == 4
    assert store.current_version("item-1") == 0


def test_lost_replies_to_the_end_leave_the_outcome_unknown(store: EventStore, client: FaultyClient) -> None:
    """
    The error names the commit, so that the caller can look for it.
    """
    client.before = [lost(), throttle(), throttle(), throttle()]

    with pytest.raises(OutcomeUnknownError) as caught:
        store.append(ITEM, [event()], expected_version=0)

    assert client.sent[0]["ClientRequestToken"] == caught.value.commit_id


def test_never_reached_is_not_unknown(store: EventStore, client: FaultyClient) -> None:
    """
    When no connection was ever made, nothing can have been stored.
    """
    client.before = [EndpointConnectionError(endpoint_url="http://127.0.0.1:1") for _ in range(4)]

    with pytest.raises(UnreachableError):
        store.append(ITEM, [event()], expected_version=0)


def test_a_rival_between_two_attempts_wins(store: EventStore, client: FaultyClient) -> None:
    """
    Our first attempt was throttled, a rival stored the number, and our second is refused for good.
    """
    inner = client.inner
    rival = EventStore.open(inner)
    original = inner.transact_write_items

    class Rivalled:
        calls = 0

        def transact_write_items(self, **request: Any) -> Any:
            self.calls += 1
            if self.calls == 1:
                rival.append(ITEM, [event(99)], expected_version=0)
                raise throttle()
            return original(**request)

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    client.inner = Rivalled()

    with pytest.raises(WrongExpectedVersionError):
        store.append(ITEM, [event(1)], expected_version=0)

    assert [found.data["number"] for found in store.load("item-1")] == [99]


class Unread:
    """A client whose Query fails."""

    def __init__(self, inner: Any, fault: Exception) -> None:
        self.inner = inner
        self.fault = fault

    def query(self, **request: Any) -> Any:
        raise self.fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (throttle(), ThrottledError),
        (lost(), UnreachableError),
        (ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query"), AccessDeniedError),
        (ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "Query"), TableMissingError),
        (ClientError({"Error": {"Code": "ValidationException", "Message": "no"}}, "Query"), RequestRefusedError),
    ],
    ids=["throttled", "lost", "denied", "no table", "refused"],
)
def test_a_conflict_is_one_whatever_becomes_of_the_look(
    store: EventStore, client: FaultyClient, fault: Exception, cause: type[Exception]
) -> None:
    """
    The version could not be read; that it is not the expected one is known from the refusal, and so is a bound of it.
    """
    store.append(ITEM, [event(), event(), event()], expected_version=0)
    client.inner = Unread(client.inner, fault)

    with pytest.raises(WrongExpectedVersionError) as behind:
        store.append(ITEM, [event()], expected_version=1)
    with pytest.raises(WrongExpectedVersionError) as ahead:
        store.append_many([Append(ITEM, [event()], 7)])

    assert (behind.value.actual, behind.value.at_least, behind.value.expected) == (None, 2, 1)
    assert str(behind.value) == "aggregate 'item-1' is at version 2 or later, not 1: load it and decide again"
    assert isinstance(behind.value.__cause__, cause)
    assert (ahead.value.actual, ahead.value.at_least, ahead.value.expected) == (None, 0, 7)
    assert str(ahead.value) == "aggregate 'item-1' is not at version 7: load it and decide again"
    assert store.metrics().counts.refused == 2


def test_what_to_do_about_an_unknown_outcome_depends_on_the_key(store: EventStore, client: FaultyClient) -> None:
    """
    With a key the call may simply be repeated; without one it may not, and the message must not say so.
    """
    client.after = [lost()] * 4
    with pytest.raises(OutcomeUnknownError) as bare:
        store.append(ITEM, [event()], expected_version=0)
    client.after = [lost()] * 4
    with pytest.raises(OutcomeUnknownError) as keyed:
        store.append(ITEM, [event()], expected_version=1, idempotency_key="k")

    assert "load the aggregate, and decide again if no event carries this commit_id" in str(bare.value)
    assert "repeat the call with the same idempotency key" in str(keyed.value)
    assert "key" not in str(bare.value)
    assert "load" not in str(keyed.value)


def test_a_look_that_is_denied_leaves_the_outcome_unknown(store: EventStore, client: FaultyClient) -> None:
    """
    The token stands for other bytes, and the table may not be asked whether the commit is there.
    """
    client.before = [ClientError({"Error": {"Code": "IdempotentParameterMismatchException", "Message": "no"}}, "any")]
    inner = client.inner

    class Denied:
        def transact_get_items(self, **request: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "TransactGetItems")

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    client.inner = Denied()

    with pytest.raises(OutcomeUnknownError, match="AccessDenied"):
        store.append(ITEM, [event()], expected_version=0)
