"""Time to live, continuous backups and limits of the account: what tools ask for when they set a table up.

All of it is kept and told, and nothing follows from it: no item expires, and nothing can be restored.
"""

from collections.abc import Mapping
from typing import Any

from eventstore.testing.dynamodb.engine import Engine, moment
from eventstore.testing.dynamodb.errors import ServiceError, table_not_found, validation
from eventstore.testing.dynamodb.operations.definitions import check_attribute_name
from eventstore.testing.dynamodb.table import Table

RECOVERY_DAYS_MAX = 35
ACCOUNT_LIMITS: Mapping[str, int] = {
    "AccountMaxReadCapacityUnits": 80_000,
    "AccountMaxWriteCapacityUnits": 80_000,
    "TableMaxReadCapacityUnits": 40_000,
    "TableMaxWriteCapacityUnits": 40_000,
}
"""Sources: AWS, API reference of PointInTimeRecoverySpecification; "Quotas in Amazon DynamoDB"."""

Request = Mapping[str, Any]
Reply = dict[str, Any]


def describe_time_to_live(engine: Engine, request: Request) -> Reply:
    """Carry out DescribeTimeToLive."""
    attribute = engine.table(request["TableName"]).expiry_attribute
    if attribute is None:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": attribute}}


def update_time_to_live(engine: Engine, request: Request) -> Reply:
    """Carry out UpdateTimeToLive; it is in force at once, and no item expires."""
    table = engine.table(request["TableName"])
    specification = request["TimeToLiveSpecification"]
    attribute = check_attribute_name(specification["AttributeName"])
    if table.expiry_attribute is None and not specification["Enabled"]:
        raise validation("TimeToLive is already disabled")
    if table.expiry_attribute not in {None, attribute}:
        raise validation(f"TimeToLive is active on a different AttributeName: {table.expiry_attribute}")
    if table.expiry_attribute is not None and specification["Enabled"]:
        raise validation("TimeToLive is already enabled")
    table.expiry_attribute = attribute if specification["Enabled"] else None
    return {"TimeToLiveSpecification": dict(specification)}


def _table(engine: Engine, name: str) -> Table:
    try:
        return engine.table(name)
    except ServiceError as error:
        raise ServiceError("TableNotFoundException", table_not_found(name).message) from error


def describe_continuous_backups(engine: Engine, request: Request) -> Reply:
    """Carry out DescribeContinuousBackups."""
    return {"ContinuousBackupsDescription": _backups(engine, _table(engine, request["TableName"]))}


def update_continuous_backups(engine: Engine, request: Request) -> Reply:
    """Carry out UpdateContinuousBackups."""
    table = _table(engine, request["TableName"])
    specification = request["PointInTimeRecoverySpecification"]
    days = specification.get("RecoveryPeriodInDays", RECOVERY_DAYS_MAX)
    if not 1 <= days <= RECOVERY_DAYS_MAX:
        raise validation(f"Value '{days}' at 'recoveryPeriodInDays' failed to satisfy constraint: 1 to 35")
    if not specification["PointInTimeRecoveryEnabled"]:
        table.recovery_days = table.recoverable_from_ms = None
    else:
        table.recovery_days = days
        if table.recoverable_from_ms is None:
            table.recoverable_from_ms = engine.now_ms()
    return {"ContinuousBackupsDescription": _backups(engine, table)}


def _backups(engine: Engine, table: Table) -> Reply:
    recovery: Reply = {"PointInTimeRecoveryStatus": "DISABLED"}
    if table.recoverable_from_ms is not None:
        recovery = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": table.recovery_days,
            "EarliestRestorableDateTime": moment(table.recoverable_from_ms),
            "LatestRestorableDateTime": moment(engine.now_ms()),
        }
    return {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}


def describe_limits(_engine: Engine, _request: Request) -> Reply:
    """Carry out DescribeLimits; nothing is limited here."""
    return dict(ACCOUNT_LIMITS)
