"""Tables brought to where the template wants them: made, waited for, protected. Each step is safe beside another's."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from eventstore.backoff import Backoff, Deadline, pause
from eventstore.dynamodb.caller import Caller, Operation
from eventstore.errors import RequestRefusedError, TableLayoutError, TableMissingError, UnreachableError

READY_TIMEOUT_SECONDS = 60.0
_POLL_SECONDS = 0.2
_PATIENT = Backoff(attempts_max=60, base_seconds=0.2, cap_seconds=2.0)
"""AWS makes few tables with indexes at a time, and refuses more until those are there."""

_READY = frozenset({"ACTIVE", "UPDATING"})
_COMING_OR_GOING = frozenset({"CREATING", "DELETING"})
_IN_USE = "ResourceInUseException"
_BUSY = frozenset({_IN_USE, "ContinuousBackupsUnavailableException", "TableInUseException"})
_UNKNOWN = "UnknownOperationException"
"""DynamoDB Local has no point-in-time recovery."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What keeps a table from being lost.

    Attributes:
        from_deletion: It cannot be deleted before that is switched off.
        by_recovery: It can be restored as it was at any second of the last 35 days.
    """

    from_deletion: bool
    by_recovery: bool


def is_ready(table: Mapping[str, Any]) -> bool:
    """Tell whether a table, as DescribeTable shows it, takes reads and writes."""
    return table["TableStatus"] in _READY


def is_going(table: Mapping[str, Any]) -> bool:
    """Tell whether a table is being deleted."""
    return bool(table["TableStatus"] == "DELETING")


class Provisioner:
    """Makes tables and waits for them.

    Args:
        caller: Client and runtime; its bounds are for looks, since what makes tables may take a minute.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._runtime = caller.runtime

    def describe(self, name: str) -> Mapping[str, Any] | None:
        """Return a table as DescribeTable shows it, None when there is none.

        Raises:
            UnreachableError: DynamoDB did not answer.
        """
        try:
            reply = self._caller.read(self._caller.client.describe_table, needs="Table", TableName=name)
        except TableMissingError:
            return None
        table: Mapping[str, Any] = reply["Table"]
        return table

    def create(self, request: Mapping[str, Any]) -> None:
        """Ask for a table; that somebody else is making it at this moment is as good.

        Raises:
            TryLaterError: DynamoDB did not take it in time.
        """
        what = f"the creation of table {request['TableName']!r}"
        caller = self._patient(Deadline(self._runtime, READY_TIMEOUT_SECONDS))
        try:
            caller.write(caller.client.create_table, what=what, is_repeatable=True, **request)
        except RequestRefusedError as error:
            if error.code != _IN_USE:
                raise

    def await_ready(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a table once it takes reads and writes, whoever made it; one that has gone meanwhile is made.

        Raises:
            UnreachableError: It was not ready in time.
            TableLayoutError: It is in a state from which it does not come back by itself.
        """
        name = request["TableName"]
        deadline = Deadline(self._runtime, READY_TIMEOUT_SECONDS)
        while True:  # until the deadline
            table = self.describe(name)
            if table is None:  # also for a moment after its creation, of which DescribeTable does not know yet
                self.create(request)
            elif is_ready(table):
                return table
            elif table["TableStatus"] not in _COMING_OR_GOING:
                raise TableLayoutError(name, [f"its status is {table['TableStatus']}"])
            if not pause(self._runtime, _POLL_SECONDS, deadline):
                raise UnreachableError(f"table {name!r} was not active after {READY_TIMEOUT_SECONDS:.0f} s")

    def protect(self, table: Mapping[str, Any], wanted: Protection) -> bool:
        """Switch on what protects a table; False when the server has no point-in-time recovery.

        Args:
            table: As DescribeTable shows it.
            wanted: What the template says.

        Raises:
            AccessDeniedError: The credentials may not do this.
            TryLaterError: DynamoDB did not take it in time; doing it again is safe.
        """
        name = table["TableName"]
        if wanted.from_deletion and not table.get("DeletionProtectionEnabled", True):
            self._set("update_table", f"the protection of {name!r}", TableName=name, DeletionProtectionEnabled=True)
        if not wanted.by_recovery:
            return True
        return self._set(
            "update_continuous_backups",
            f"the point-in-time recovery of {name!r}",
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )

    def _set(self, name: str, what: str, **request: Any) -> bool:
        """Make a change that may be made twice; False when client or server do not have the operation."""
        operation: Operation | None = getattr(self._caller.client, name, None)
        if operation is None:
            return False
        deadline = Deadline(self._runtime, READY_TIMEOUT_SECONDS)
        while True:  # until the deadline
            try:
                self._patient(deadline).write(operation, what=what, is_repeatable=True, **request)
            except RequestRefusedError as error:
                if error.code == _UNKNOWN:
                    return False
                if error.code not in _BUSY:
                    raise
                if not pause(self._runtime, _POLL_SECONDS, deadline):
                    raise UnreachableError(f"{what} was not taken in {READY_TIMEOUT_SECONDS:.0f} s: {error}") from error
            else:
                return True

    def _patient(self, deadline: Deadline) -> Caller:
        return replace(self._caller, backoff=_PATIENT, deadline=deadline)
