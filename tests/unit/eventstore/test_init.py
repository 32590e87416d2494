"""Tables that come, go and are made by others: `init` waits, repeats what is safe, and protects them."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from eventstore import (
    AccessDeniedError,
    EventStore,
    InvalidInputError,
    TableLayoutError,
    TableMissingError,
    TableNames,
    UnreachableError,
    init_tables,
)
from eventstore.dynamodb import tables
from eventstore.testing import InMemoryDynamoDB, ManualRuntime

NAMES = [f"inventory_{name}" for name in ("events", "outbox", "relay", "snapshots", "idempotency")]
KEPT = [name for name in NAMES if name != "inventory_snapshots"]


def refusal(code: str, operation: str = "any") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation
    )  # type: ignore[typeddict-item]


class Aws:
    """A DynamoDB whose tables take a while, as on AWS.

    Attributes:
        coming: Table → how many more looks show it as being created.
        going: Table → how many more looks show it as being deleted.
        status: Table → its status for ever.
        recovery: Tables with point-in-time recovery.
        faults: Operation → what its next calls raise instead.
        calls: Operation and table of every call that changes something.
    """

    def __init__(self, takes: int = 2) -> None:
        self.database = InMemoryDynamoDB()
        self.inner = self.database.client()
        self.takes = takes
        self.coming: dict[str, int] = {}
        self.going: dict[str, int] = {}
        self.status: dict[str, str] = {}
        self.recovery: set[str] = set()
        self.faults: dict[str, list[Exception]] = {}
        self.calls: list[tuple[str, str]] = []

    def create_table(self, **request: Any) -> Any:
        name = request["TableName"]
        self._note("create_table", name)
        if name in self.going:
            raise refusal("ResourceInUseException")
        reply = self.inner.create_table(**request)
        self.coming[name] = self.takes
        return reply

    def describe_table(self, **request: Any) -> Any:
        name = request["TableName"]
        if self.going.get(name) == 0:
            del self.going[name]
            self.inner.delete_table(TableName=name)
        reply = self.inner.describe_table(**request)
        for left, status in ((self.coming, "CREATING"), (self.going, "DELETING")):
            if left.get(name):
                left[name] -= 1
                reply["Table"]["TableStatus"] = status
        reply["Table"]["TableStatus"] = self.status.get(name, reply["Table"]["TableStatus"])
        return reply

    def put_item(self, **request: Any) -> Any:
        if self.coming.get(request["TableName"]):
            raise refusal("ResourceNotFoundException")
        return self.inner.put_item(**request)

    def get_item(self, **request: Any) -> Any:
        if self.coming.get(request["TableName"]):
            raise refusal("ResourceNotFoundException")
        return self.inner.get_item(**request)

    def update_table(self, **request: Any) -> Any:
        self._note("update_table", request["TableName"])
        return self.inner.update_table(**request)

    def update_continuous_backups(self, **request: Any) -> Any:
        name = request["TableName"]
        self._note("update_continuous_backups", name)
        assert request["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        self.recovery.add(name)
        return {"ContinuousBackupsDescription": {}}

    def _note(self, operation: str, name: str) -> None:
        self.calls.append((operation, name))
        if self.faults.get(operation):
            raise self.faults[operation].pop(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def make(self, names: Iterable[str], *, coming: int, **more: Any) -> None:
        """Let somebody else have begun to make tables."""
        for request in tables.create_requests(tables.load_template(), TableNames()):
            if request["TableName"] in names:
                self.inner.create_table(**{**request, **more})
                self.coming[request["TableName"]] = coming

    def protected(self) -> list[str]:
        described = {name: self.inner.describe_table(TableName=name)["Table"] for name in NAMES}
        return [name for name, table in described.items() if table["DeletionProtectionEnabled"]]


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def runtime() -> ManualRuntime:
    return ManualRuntime()


@pytest.fixture
def init(aws: Aws, runtime: ManualRuntime) -> Callable[..., tables.InitResult]:
    return lambda **more: init_tables(aws, TableNames(), runtime, **more)  # type: ignore[arg-type]


def test_new_tables_are_protected_as_the_template_says(aws: Aws, init: Callable[..., tables.InitResult]) -> None:
    """
    All but the snapshots, which can be thrown away.
    """
    result = init()

    assert (result.created, result.existing, result.unprotected) == (tuple(NAMES), (), ())
    assert aws.protected() == KEPT
    assert aws.recovery == set(KEPT)


def test_tables_that_somebody_else_is_making_are_waited_for(aws: Aws, init: Callable[..., tables.InitResult]) -> None:
    """
    They are not made again, they get what protects them, and the store can be opened.
    """
    aws.make(NAMES, coming=5)

    result = init()

    assert (result.created, result.existing) == ((), tuple(NAMES))
    assert "create_table" not in {operation for operation, _ in aws.calls}
    assert aws.protected() == KEPT
    assert aws.recovery == set(KEPT)
    assert EventStore.open(aws).current_version("a") == 0  # type: ignore[arg-type]


def test_a_table_that_somebody_else_begins_between_the_look_and_the_creation(
    aws: Aws, init: Callable[..., tables.InitResult]
) -> None:
    """
    The creation is refused since it is under way: it is waited for, and looked at before it counts.
    """

    def begin(name: str) -> None:
        if name == "inventory_events":
            aws.make(NAMES, coming=3)

    result = init(progress=begin)

    assert result.created == tuple(NAMES)
    assert aws.protected() == KEPT


def test_a_table_of_another_layout_that_somebody_else_makes_meanwhile(
    aws: Aws, init: Callable[..., tables.InitResult]
) -> None:
    """
    It is another one's: the store is not set up on it.
    """

    def begin(name: str) -> None:
        if name == "inventory_snapshots":
            aws.inner.create_table(
                TableName=name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            )

    with pytest.raises(TableLayoutError, match="id S"):
        init(progress=begin)

    with pytest.raises(TableMissingError, match="store record"):
        EventStore.open(aws.inner)


def test_a_table_that_is_being_deleted_is_made_anew(aws: Aws, init: Callable[..., tables.InitResult]) -> None:
    """
    It is waited out; its creation is refused until then.
    """
    aws.make(["inventory_outbox"], coming=0)
    aws.going["inventory_outbox"] = 4

    result = init()

    assert "inventory_outbox" in result.created
    assert aws.calls.count(("create_table", "inventory_outbox")) == 2
    assert aws.protected() == KEPT


def test_a_table_that_never_becomes_ready(aws: Aws, init: Callable[..., tables.InitResult]) -> None:
    """
    The wait has a bound, and names the table.
    """
    aws.make(["inventory_outbox"], coming=1_000_000)

    with pytest.raises(UnreachableError, match=r"inventory_outbox.*60 s"):
        init()


def test_a_table_in_a_state_that_does_not_pass(aws: Aws, init: Callable[..., tables.InitResult]) -> None:
    """
    Nobody waits for a table that is archived.
    """
    aws.make(["inventory_outbox"], coming=0)
    aws.status["inventory_outbox"] = "ARCHIVED"

    with pytest.raises(TableLayoutError, match="ARCHIVED"):
        init()


def test_what_is_refused_for_a_moment_is_asked_again(aws: Aws, init: Callable[..., tables.InitResult]) -> None:
    """
    Too many tables at once, a lost reply, a backup that is just being switched on: all of it passes.
    """
    aws.faults = {
        "create_table": [refusal("LimitExceededException"), ReadTimeoutError(endpoint_url="http://db")] * 4,
        "update_continuous_backups": [refusal("ContinuousBackupsUnavailableException")] * 3,
    }

    result = init()

    assert result.created == tuple(NAMES)
    assert aws.recovery == set(KEPT)


def test_an_init_that_was_cut_off_is_finished_by_the_next(aws: Aws, init: Callable[..., tables.InitResult]) -> None:
    """
    The tables are there and not protected, and the store has no record yet: the next one makes up for it.
    """
    aws.make(NAMES, coming=0)

    init()

    assert aws.protected() == KEPT
    assert aws.recovery == set(KEPT)


def test_a_right_that_is_missing_is_said_and_can_be_made_up_for(
    aws: Aws, init: Callable[..., tables.InitResult]
) -> None:
    """
    The store is not set up before it is protected.
    """
    aws.faults = {"update_continuous_backups": [refusal("AccessDeniedException")]}
    with pytest.raises(AccessDeniedError):
        init()
    with pytest.raises(TableMissingError, match="store record"):
        EventStore.open(aws.inner)

    init()

    assert aws.recovery == set(KEPT)


def test_a_store_that_is_set_up_is_left_as_its_operators_have_it(
    aws: Aws, init: Callable[..., tables.InitResult]
) -> None:
    """
    Who has switched protection off meant it; only a table that was absent is new.
    """
    init()
    for name in NAMES:
        aws.inner.update_table(TableName=name, DeletionProtectionEnabled=False)
    aws.inner.delete_table(TableName="inventory_idempotency")
    aws.recovery.clear()

    result = init()

    assert result.created == ("inventory_idempotency",)
    assert aws.protected() == ["inventory_idempotency"]
    assert aws.recovery == {"inventory_idempotency"}


def test_tables_of_tests_can_be_thrown_away(aws: Aws, init: Callable[..., tables.InitResult]) -> None:
    """
    Without protection nothing is switched on.
    """
    init(protect=False)

    assert aws.protected() == []
    assert {operation for operation, _ in aws.calls} == {"create_table"}


def test_a_server_without_recovery(aws: Aws, init: Callable[..., tables.InitResult]) -> None:
    """
    DynamoDB Local does not know the operation: the result says so, and the store is set up.
    """
    aws.faults = {"update_continuous_backups": [refusal("UnknownOperationException")] * 9}

    assert init().unprotected == tuple(KEPT)
    assert init_tables(InMemoryDynamoDB().client()).unprotected == ()


def test_a_relay_does_not_start_on_tables_that_are_coming(aws: Aws, runtime: ManualRuntime) -> None:
    """
    They will be there in a moment: that is no missing table.
    """
    aws.make(NAMES, coming=1)

    with pytest.raises(UnreachableError, match="CREATING"):
        tables.check(aws, TableNames(), runtime)  # type: ignore[arg-type]


@pytest.mark.parametrize("shards", [0, 65, True, 2.5, "4"])
def test_index_shards_that_cannot_be(shards: Any, init: Callable[..., tables.InitResult]) -> None:
    """
    Refused before anything is sent.
    """
    with pytest.raises(InvalidInputError, match="index_shards"):
        init(index_shards=shards)
