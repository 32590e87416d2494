"""The decision table of appends: one test per row of `docs/reference/append-decisions.md`, by the row's name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    ProxyConnectionError,
    SSLError,
)

from eventstore import (
    ANY,
    EXISTS,
    NO_EVENTS,
    AccessDeniedError,
    AggregateRef,
    AggregateTypeError,
    AimdSettings,
    Append,
    AppendResult,
    Backoff,
    CorruptRowError,
    EndpointError,
    EventStore,
    EventTypes,
    IdempotencyConflictError,
    InvalidInputError,
    NewEvent,
    OutcomeUnknownError,
    RequestRefusedError,
    RowConditionError,
    RowPut,
    StoreOptions,
    TableMissingError,
    ThrottledError,
    UnreachableError,
    WrongExpectedVersionError,
)
from eventstore.append.appender import Call
from eventstore.append.unchanged import Unchanged
from eventstore.dynamodb.limiter import Limiter

from .conftest import ITEM, QUICK, FaultyClient, conflict, event, lost, throttle

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "append-decisions.md"
OTHER = AggregateRef("ITEM", "item-2")


class Bench:
    """A store with a client that misbehaves on request, and another writer who is never in trouble."""

    def __init__(self, client: FaultyClient) -> None:
        self.client = client
        options = StoreOptions(append_backoff=QUICK, read_backoff=QUICK, contention_backoff=QUICK)
        self.store = EventStore.open(client, options=options)  # type: ignore[arg-type]
        self.rival = EventStore.open(client.inner)

    def append(self, expected: Any = NO_EVENTS, key: str | None = None, number: int = 1) -> AppendResult:
        return self.store.append(ITEM, [event(number)], expected_version=expected, idempotency_key=key)

    def stored(self) -> list[int]:
        return [found.data["number"] for found in self.rival.load("item-1")]

    def rows(self, table: str) -> list[Any]:
        found: list[Any] = self.client.inner.scan(TableName=table)["Items"]
        return found

    def before_each_write(self, act: Callable[[int], None]) -> None:
        """Let something happen before each transaction of the store's own client reaches the tables."""
        inner = self.client.inner

        class Acting:
            calls = 0

            def transact_write_items(self, **request: Any) -> Any:
                self.calls += 1
                act(self.calls)
                return inner.transact_write_items(**request)

            def __getattr__(self, name: str) -> Any:
                return getattr(inner, name)

        self.client.inner = Acting()

    def change_requests(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Let something between the store and the tables change its transactions."""
        inner = self.client.inner

        class Changing:
            def transact_write_items(self, **request: Any) -> Any:
                changed = dict(request)
                change(changed)
                return inner.transact_write_items(**changed)

            def __getattr__(self, name: str) -> Any:
                return getattr(inner, name)

        self.client.inner = Changing()


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "TransactWriteItems",
    )


def cancelled(*reasons: str | tuple[str, Any]) -> ClientError:
    told = [
        {"Code": each} if isinstance(each, str) else {"Code": each[0], "Message": "no", "Item": each[1]}
        for each in reasons
    ]
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
        "CancellationReasons": told,
    }
    return ClientError(response, "TransactWriteItems")


def unreached() -> EndpointConnectionError:
    return EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


def stored(bench: Bench) -> None:
    result = bench.append()

    assert (result.version, result.attempts, result.already_stored) == (1, 1, False)
    assert bench.stored() == [1]


def _again(bench: Bench, *faults: Exception) -> None:
    bench.client.before = list(faults)

    result = bench.append()

    assert (result.version, result.attempts, result.already_stored) == (1, 1 + len(faults), False)
    assert all(request == bench.client.sent[0] for request in bench.client.sent)
    assert bench.stored() == [1]


def lost_before_the_write(bench: Bench) -> None:
    _again(bench, lost(), refusal("InternalServerError", 500))

    assert bench.store.metrics().counts.lost_replies == 2


def lost_after_the_write(bench: Bench) -> None:
    bench.client.after = [lost()]

    result = bench.append()

    assert (result.version, result.attempts) == (1, 2)
    assert bench.stored() == [1]
    assert len(bench.rows("inventory_outbox")) == 1


def own_commit(bench: Bench) -> None:
    tokens = iter(["first", "second"])
    bench.change_requests(lambda request: request.update(ClientRequestToken=next(tokens)))
    bench.client.after = [lost()]

    result = bench.append()

    assert (result.version, result.attempts, result.already_stored) == (1, 2, True)
    assert bench.stored() == [1]


def not_reached(bench: Bench) -> None:
    _again(bench, unreached())

    assert bench.store.metrics().counts.unreached == 1


def throttled(bench: Bench) -> None:
    _again(bench, throttle(), refusal("ProvisionedThroughputExceededException"))

    assert bench.store.metrics().counts.throttles == 2
    assert bench.store.metrics().limiter.limit == 8


def throttled_in_the_transaction(bench: Bench) -> None:
    _again(
        bench, cancelled("TransactionConflict", "ThrottlingError"), cancelled("None", "ProvisionedThroughputExceeded")
    )

    assert bench.store.metrics().counts.throttles == 2
    assert bench.store.metrics().limiter.limit == 8


def conflicting(bench: Bench) -> None:
    _again(bench, conflict(), refusal("TransactionConflictException"))

    assert bench.store.metrics().counts.conflicts == 2
    assert bench.store.metrics().limiter.limit == 32


def in_progress(bench: Bench) -> None:
    _again(bench, refusal("TransactionInProgressException"))

    bench.client.before = [refusal("TransactionInProgressException"), throttle(), throttle(), throttle()]
    with pytest.raises(OutcomeUnknownError):
        bench.append(1)


def parameter_mismatch_own_commit(bench: Bench) -> None:
    bench.client.after = [lost()]
    bench.client.before = [None, refusal("IdempotentParameterMismatchException")]

    result = bench.append()

    assert (result.version, result.attempts, result.already_stored) == (1, 2, True)
    assert bench.stored() == [1]


def parameter_mismatch(bench: Bench) -> None:
    bench.change_requests(lambda request: request.update(ClientRequestToken="always-the-same"))
    bench.append()

    with pytest.raises(RequestRefusedError) as caught:
        bench.append(1, number=2)

    assert caught.value.code == "IdempotentParameterMismatchException"
    assert bench.stored() == [1]


def key_used(bench: Bench) -> None:
    first = bench.rival.append(ITEM, [event(1)], expected_version=0, idempotency_key="k")
    bench.rival.append(ITEM, [event(2)], expected_version=1)

    for expected in (0, 1, 2, 7, EXISTS, ANY):
        repeat = bench.append(expected, key="k")
        assert repeat == AppendResult(ITEM, first.commit_id, 1, 1, already_stored=True, attempts=1)
    assert bench.stored() == [1, 2]

    (shown,) = bench.rows("inventory_idempotency")
    bench.client.inner.delete_item(
        TableName="inventory_idempotency", Key={name: shown[name] for name in ("aggregateId", "key")}
    )
    bench.client.before = [cancelled("ValidationError", "None", ("ConditionalCheckFailed", shown))]
    assert bench.append(key="k").commit_id == first.commit_id, "what was shown needs no read, and comes first"


def key_used_unseen(bench: Bench) -> None:
    first = bench.rival.append(ITEM, [event(1)], expected_version=0, idempotency_key="k")
    shown = bench.rows("inventory_events")[0]
    bench.client.before = [cancelled(("ConditionalCheckFailed", shown), "None", "None")]

    repeat = bench.append(key="k")

    assert (repeat.commit_id, repeat.already_stored) == (first.commit_id, True)


def key_of_a_commit_under_way(bench: Bench) -> None:
    first = bench.rival.append(ITEM, [event(1)], expected_version=0, idempotency_key="k")
    inner, asked = bench.client.inner, []

    class Applying:
        """The key's row shows before the event beside it does: a transactional read of that is in conflict."""

        def transact_get_items(self, **request: Any) -> Any:
            asked.append(request["TransactItems"])
            if len(asked) < 3:
                raise cancelled("TransactionConflict")
            return inner.transact_get_items(**request)

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    bench.client.inner = Applying()
    assert bench.append(key="k").commit_id == first.commit_id
    assert len(asked) == 3, "answered only when it can be read"


def key_of_a_lost_commit(bench: Bench) -> None:
    bench.rival.append(ITEM, [event(1)], expected_version=0, idempotency_key="k")
    (stored,) = bench.rows("inventory_events")
    place = {name: stored[name] for name in ("aggregateId", "sequenceNumber")}
    bench.client.inner.delete_item(TableName="inventory_events", Key=place)

    with pytest.raises(CorruptRowError, match="not stored up to event 1"):
        bench.append(key="k")


def key_of_other_content(bench: Bench) -> None:
    first = bench.rival.append(ITEM, [event(1)], expected_version=0, idempotency_key="k")

    with pytest.raises(IdempotencyConflictError) as caught:
        bench.append(1, key="k", number=2)

    error = caught.value
    assert (error.aggregate_id, error.key, error.stored_commit_id) == ("item-1", "k", first.commit_id)
    assert error.given_commit_id == bench.client.sent[0]["ClientRequestToken"]
    assert error.stored_digest != error.given_digest
    assert all(part in str(error) for part in (error.stored_commit_id, error.given_commit_id, error.given_digest))
    assert bench.stored() == [1]


def key_of_the_same_meaning(bench: Bench) -> None:
    first = bench.rival.append(ITEM, [event(1)], expected_version=0, idempotency_key="k")
    types = EventTypes()
    types.add_upcaster(lambda data: {"pieces": data["number"]}, event(1).type, 1)
    bench.store = EventStore.open(bench.client, options=bench.store.context.options, events=types)  # type: ignore[arg-type]
    given = NewEvent(event(1).type, {"pieces": 1}, schema_version=2)

    repeat = bench.store.append(ITEM, [given], expected_version=1, idempotency_key="k")

    assert (repeat.commit_id, repeat.already_stored) == (first.commit_id, True)
    assert bench.stored() == [1]


def key_of_another_command(bench: Bench) -> None:
    bench.rival.append(ITEM, [event(1)], expected_version=0, idempotency_key="k", command_fingerprint="one")

    with pytest.raises(IdempotencyConflictError, match="its fingerprint is one, not another"):
        bench.store.append(ITEM, [event(1)], expected_version=1, idempotency_key="k", command_fingerprint="another")

    assert bench.stored() == [1]


def key_of_other_type(bench: Bench) -> None:
    bench.rival.append(ITEM, [event(1)], expected_version=0, idempotency_key="k")

    with pytest.raises(AggregateTypeError) as caught:
        bench.store.append(AggregateRef("ORDER", "item-1"), [event(1)], expected_version=0, idempotency_key="k")

    assert caught.value.actual == "ITEM"


def some_keys_used(bench: Bench) -> None:
    first = bench.rival.append(ITEM, [event(1)], expected_version=0, idempotency_key="k")

    with pytest.raises(IdempotencyConflictError) as caught:
        bench.store.append_many([Append(OTHER, [event(2)], 0, "k"), Append(ITEM, [event(1)], 1, "k")])

    assert (caught.value.aggregate_id, caught.value.stored_commit_id) == ("item-1", first.commit_id)
    assert bench.rival.current_version("item-2") == 0


def validation_error(bench: Bench) -> None:
    bench.client.before = [cancelled(("ConditionalCheckFailed", None), "ValidationError")]

    with pytest.raises(RequestRefusedError) as caught:
        bench.append()

    assert caught.value.code == "ValidationError"
    assert len(bench.client.sent) == 1


def request_refused(bench: Bench) -> None:
    bench.client.before = [refusal("ValidationException")]

    with pytest.raises(RequestRefusedError):
        bench.append()

    assert len(bench.client.sent) == 1


def other_type(bench: Bench) -> None:
    bench.rival.append(AggregateRef("ORDER", "item-1"), [event(1)], expected_version=0)

    for expected in (0, 1, EXISTS, ANY):
        with pytest.raises(AggregateTypeError) as caught:
            bench.append(expected)
        assert (caught.value.expected, caught.value.actual) == ("ITEM", "ORDER")


def other_version(bench: Bench) -> None:
    bench.rival.append(ITEM, [event(1), event(2)], expected_version=0)

    for expected in (0, 1, 3):
        with pytest.raises(WrongExpectedVersionError) as caught:
            bench.append(expected)
        assert (caught.value.expected, caught.value.actual) == (expected, 2)


def other_version_left_to_us(bench: Bench) -> None:
    bench.rival.append(ITEM, [event(1)], expected_version=0)

    def outrun(call: int) -> None:
        if call in (1, 2, 4):
            version = bench.rival.current_version("item-1")
            bench.rival.append(ITEM, [event(100 + call)], expected_version=version)

    bench.before_each_write(outrun)
    first, second = bench.append(EXISTS, number=2), bench.append(ANY, number=3)

    assert (first.version, first.attempts) == (4, 3)
    assert (second.version, second.attempts) == (6, 2)
    assert bench.stored() == [1, 101, 102, 2, 104, 3]
    assert bench.store.metrics().counts.stale == 3


def conflict_beside_an_outbox_row(bench: Bench) -> None:
    other = bench.rival.append(ITEM, [event(9)], expected_version=0)
    (row,) = bench.rows("inventory_outbox")
    bench.client.before = [cancelled("TransactionConflict", ("ConditionalCheckFailed", row))]

    with pytest.raises(WrongExpectedVersionError):
        bench.append()

    assert other.version == 1
    assert len(bench.client.sent) == 2


def left_over_outbox_row(bench: Bench) -> None:
    bench.append()
    key = {"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": "1"}}
    bench.client.inner.delete_item(TableName="inventory_events", Key=key)

    with pytest.raises(CorruptRowError) as caught:
        bench.append()

    assert (caught.value.table, caught.value.key, caught.value.field) == ("inventory_outbox", "item-1/1", "commitId")


OWN = {
    "TableName": "emails",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "email", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "email", "KeyType": "HASH"}],
}
ADDRESS = RowPut("emails", {"email": "ann@example.com"}, "attribute_not_exists(email)")


def row_refused(bench: Bench) -> None:
    bench.client.inner.create_table(**OWN)
    bench.store.append(OTHER, [event(1)], expected_version=0, also=[ADDRESS])

    with pytest.raises(RowConditionError) as caught:
        bench.store.append(ITEM, [event(1)], expected_version=0, also=[ADDRESS])

    assert (caught.value.field, caught.value.table) == ("also[0]", "emails")
    assert bench.stored() == []


def row_refused_beside_a_conflict(bench: Bench) -> None:
    bench.client.inner.create_table(**OWN)
    bench.client.before = [cancelled("TransactionConflict", "None", ("ConditionalCheckFailed", None))]

    result = bench.store.append(ITEM, [event(1)], expected_version=0, also=[ADDRESS])

    assert (result.version, result.attempts) == (1, 2)


def row_refused_after_a_lost_reply(bench: Bench) -> None:
    bench.client.inner.create_table(**OWN)
    told = cancelled("None", "None", ("ConditionalCheckFailed", None))
    bench.client.after, bench.client.before = [lost()], [None, told]

    result = bench.store.append(ITEM, [event(1)], expected_version=0, also=[ADDRESS])
    assert (result.version, result.attempts, result.already_stored) == (1, 2, True)

    bench.client.before = [lost(), told]
    with pytest.raises(RowConditionError):
        bench.store.append(OTHER, [event(1)], expected_version=0, also=[ADDRESS])


def row_unfit(bench: Bench) -> None:
    bench.client.inner.create_table(**OWN)

    for row in (RowPut("emails", {"email": 7}), RowPut("emails", {"mail": "no key"})):
        with pytest.raises(InvalidInputError) as caught:
            bench.store.append(ITEM, [event(1)], expected_version=0, also=[row])
        assert caught.value.field == "also[0]"

    assert bench.stored() == []


def other_version_of_what_was_read(bench: Bench) -> None:
    bench.rival.append(OTHER, [event(1)], expected_version=0)
    call = Call(None, None, unchanged=[Unchanged("item-2", 0)])

    with pytest.raises(WrongExpectedVersionError) as caught:
        bench.store._appender.append([Append(ITEM, [event(1)], 0)], call)

    assert (caught.value.aggregate_id, caught.value.expected, caught.value.actual) == ("item-2", 0, 1)
    assert bench.stored() == []


def table_missing(bench: Bench) -> None:
    bench.client.inner.delete_table(TableName="inventory_events")

    with pytest.raises(TableMissingError):
        bench.append()

    assert len(bench.client.sent) == 1


def denied(bench: Bench) -> None:
    bench.client.before = [refusal("AccessDeniedException")]

    with pytest.raises(AccessDeniedError):
        bench.append()

    assert len(bench.client.sent) == 1


def denied_after_a_lost_reply(bench: Bench) -> None:
    for refused in ("ExpiredTokenException", "ValidationException"):
        bench.client.before = [lost(), refusal(refused)]

        with pytest.raises(OutcomeUnknownError, match=refused):
            bench.append()


def credentials_not_had(bench: Bench) -> None:
    bench.client.before = [CredentialRetrievalError(provider="custom-process", error_msg="no ticket")]

    with pytest.raises(AccessDeniedError, match="no ticket"):
        bench.append()

    assert len(bench.client.sent) == 1


def endpoint_unusable(bench: Bench) -> None:
    bench.client.before = [
        ProxyConnectionError(proxy_url="http://proxy:3128"),
        SSLError(endpoint_url="https://db", error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate"),
    ]

    for says in ("proxy:3128", "self-signed"):
        with pytest.raises(EndpointError, match=says):
            bench.append()

    assert len(bench.client.sent) == 2


def gave_up_throttled(bench: Bench) -> None:
    bench.client.before = [conflict(), throttle(), unreached(), throttle()]

    with pytest.raises(ThrottledError):
        bench.append()

    assert len(bench.client.sent) == 4
    assert bench.store.metrics().counts.gave_up == 1
    assert bench.stored() == []


def gave_up_unknown(bench: Bench) -> None:
    bench.client.before = [throttle(), lost(), throttle(), unreached()]

    with pytest.raises(OutcomeUnknownError) as caught:
        bench.append()

    assert caught.value.commit_id == bench.client.sent[0]["ClientRequestToken"]


def gave_up_not_reached(bench: Bench) -> None:
    bench.client.before = [unreached() for _ in range(4)]

    with pytest.raises(UnreachableError):
        bench.append()


def gave_up_contended(bench: Bench) -> None:
    def outrun(_: int) -> None:
        version = bench.rival.current_version("item-1")
        bench.rival.append(ITEM, [event(100)], expected_version=version)

    bench.before_each_write(outrun)
    with pytest.raises(ThrottledError):
        bench.append(ANY)

    assert bench.stored() == [100, 100, 100, 100]


def exists_without_events(bench: Bench) -> None:
    with pytest.raises(WrongExpectedVersionError, match="EXISTS") as caught:
        bench.append(EXISTS)

    assert (caught.value.expected, caught.value.actual) == (EXISTS, 0)
    assert bench.client.sent == []


def deadline(bench: Bench) -> None:
    slow = Backoff(attempts_max=8, base_seconds=1000.0, cap_seconds=1000.0)
    options = StoreOptions(append_backoff=slow)
    store = EventStore.open(bench.client, options=options)  # type: ignore[arg-type]
    bench.client.before = [throttle()]
    with pytest.raises(ThrottledError) as caught:
        store.append(ITEM, [event()], expected_version=0, deadline_seconds=0.05)
    assert caught.value.retry_after_seconds == 1000.0
    assert len(bench.client.sent) == 1

    bench.client.before = [lost()]
    with pytest.raises(OutcomeUnknownError):
        store.append(ITEM, [event()], expected_version=0, deadline_seconds=0.05)


def queue_full(bench: Bench) -> None:
    options = StoreOptions(limiter=AimdSettings(start=1, maximum=1), limiter_queue_max=0)
    store = EventStore.open(bench.client, options=options)  # type: ignore[arg-type]
    limiter: Limiter = store._appender._limiter
    slot = limiter.enter(0.0)
    assert slot is not None

    with pytest.raises(ThrottledError) as caught:
        store.append(ITEM, [event()], expected_version=0)

    assert caught.value.retry_after_seconds > 0
    assert store.metrics().limiter.turned_away == 1
    assert bench.client.sent == []


CASES: Sequence[tuple[str, Callable[[Bench], None]]] = [
    ("stored", stored),
    ("lost-before-the-write", lost_before_the_write),
    ("lost-after-the-write", lost_after_the_write),
    ("own-commit", own_commit),
    ("not-reached", not_reached),
    ("throttled", throttled),
    ("throttled-in-the-transaction", throttled_in_the_transaction),
    ("conflict", conflicting),
    ("in-progress", in_progress),
    ("parameter-mismatch-own-commit", parameter_mismatch_own_commit),
    ("parameter-mismatch", parameter_mismatch),
    ("key-used", key_used),
    ("key-used-unseen", key_used_unseen),
    ("key-of-a-commit-under-way", key_of_a_commit_under_way),
    ("key-of-a-lost-commit", key_of_a_lost_commit),
    ("key-of-the-same-meaning", key_of_the_same_meaning),
    ("key-of-other-content", key_of_other_content),
    ("key-of-another-command", key_of_another_command),
    ("key-of-other-type", key_of_other_type),
    ("some-keys-used", some_keys_used),
    ("validation-error", validation_error),
    ("request-refused", request_refused),
    ("other-type", other_type),
    ("other-version", other_version),
    ("other-version-left-to-us", other_version_left_to_us),
    ("conflict-beside-an-outbox-row", conflict_beside_an_outbox_row),
    ("left-over-outbox-row", left_over_outbox_row),
    ("other-version-of-what-was-read", other_version_of_what_was_read),
    ("row-refused", row_refused),
    ("row-refused-beside-a-conflict", row_refused_beside_a_conflict),
    ("row-refused-after-a-lost-reply", row_refused_after_a_lost_reply),
    ("row-unfit", row_unfit),
    ("table-missing", table_missing),
    ("denied", denied),
    ("denied-after-a-lost-reply", denied_after_a_lost_reply),
    ("credentials-not-had", credentials_not_had),
    ("endpoint-unusable", endpoint_unusable),
    ("gave-up-throttled", gave_up_throttled),
    ("gave-up-unknown", gave_up_unknown),
    ("gave-up-not-reached", gave_up_not_reached),
    ("gave-up-contended", gave_up_contended),
    ("exists-without-events", exists_without_events),
    ("deadline", deadline),
    ("queue-full", queue_full),
]


@pytest.mark.parametrize("case", [case for _, case in CASES], ids=[name for name, _ in CASES])
def test_a_row_of_the_table_holds(case: Callable[[Bench], None], client: FaultyClient) -> None:
    """
    What the page says of a case is what an append does.
    """
    case(Bench(client))


def test_the_page_and_the_tests_have_the_same_rows() -> None:
    """
    No row is without a test, and no test without a row, in the same order.
    """
    lines = PAGE.read_text("utf-8").splitlines()
    rows = [line.split("`")[1] for line in lines if line.startswith("| `")]

    assert rows == [name for name, _ in CASES]
