"""Encodes and decodes the fleet's records as rows of the relay table. Pure."""

from collections.abc import Iterable
from typing import Any

from eventstore.errors import CorruptRowError
from eventstore.rows.item import Item, ItemReader
from relay.leases import worker_report as reports
from relay.leases.fleet import SWEEP_KEY, Fleet, FleetSettings, Lease, Pause, WorkerRecord, WorkerState
from relay.leases.position import Position

RECORD_TYPE = "fleet"
PAUSE_KEY = "pause"
SETTINGS_KEY = "settings"
READING = "reading"
FINISHED = "finished"

_LEASE_PREFIX = "lease#"
_WORKER_PREFIX = "worker#"
_STATES = {state.value: state for state in WorkerState}


def key_of(record_key: str) -> dict[str, dict[str, str]]:
    """Return the key of a record as DynamoDB wants it."""
    return {"recordType": {"S": RECORD_TYPE}, "recordKey": {"S": record_key}}


def worker_key(worker_id: str) -> str:
    """Return the record key of a worker."""
    return f"{_WORKER_PREFIX}{worker_id}"


def new_lease(key: str, now_ms: int) -> dict[str, Any]:
    """Return the row of a lease that nobody has held yet."""
    return {
        **key_of(key),
        "term": {"N": "0"},
        "counter": {"N": "0"},
        "state": {"S": READING},
        "updatedAt": {"N": str(now_ms)},
    }


def encode_worker(record: WorkerRecord) -> dict[str, Any]:
    """Return a worker's row."""
    item: dict[str, Any] = {
        **key_of(worker_key(record.worker_id)),
        "counter": {"N": str(record.counter)},
        "state": {"S": record.state.value},
        "host": {"S": record.host},
        "pid": {"N": str(record.pid)},
        "release": {"S": record.release},
        "startedAt": {"N": str(record.started_at_ms)},
        "updatedAt": {"N": str(record.updated_at_ms)},
    }
    if record.report is not None:
        item["report"] = {"S": reports.encode(record.report)}
    return item


def encode_pause(pause: Pause) -> dict[str, Any]:
    """Return the row of a pause."""
    return {**key_of(PAUSE_KEY), "by": {"S": pause.by}, "at": {"N": str(pause.at_ms)}, "reason": {"S": pause.reason}}


def encode_settings(settings: FleetSettings) -> dict[str, Any]:
    """Return the row of what workers agree on."""
    item: dict[str, Any] = {
        **key_of(SETTINGS_KEY),
        "destinations": {"SS": sorted(settings.destinations)},
        "namePrefix": {"S": settings.name_prefix},
        "leaseMs": {"N": str(settings.lease_ms)},
        "protocol": {"N": str(settings.protocol)},
    }
    if settings.bus is not None:
        item["bus"] = {"SS": sorted(settings.bus)}
    return item


def decode_lease(item: Item, table: str) -> Lease:
    """Return the lease of a row.

    Raises:
        CorruptRowError: It cannot be read; the message says what to do.
    """
    row = ItemReader(item, table)
    text = row.text_or_none("feedPosition")
    try:
        position = None if text is None else Position.parse(text)
    except ValueError as error:
        told = f"{str(text)[:100]!r}, which is not a position"
        reason = f"is {told}; delete the row, and the shard is read from its oldest record"
        raise row.corrupt("feedPosition", reason) from error
    return Lease(
        row.text("recordKey"),
        row.text_or_none("owner"),
        row.integer("term"),
        row.integer("counter"),
        row.text_or_none("handOverTo"),
        finished=row.text("state") == FINISHED,
        position=position,
        updated_at_ms=row.integer("updatedAt"),
    )


def decode_worker(item: Item, table: str) -> WorkerRecord:
    """Return the worker of a row.

    Raises:
        CorruptRowError: It cannot be read.
    """
    row = ItemReader(item, table)
    text = row.text_or_none("report")
    state = row.text("state")
    return WorkerRecord(
        row.text("recordKey").removeprefix(_WORKER_PREFIX),
        row.integer("counter"),
        row.text("host"),
        row.integer("pid"),
        row.text("release"),
        row.integer("startedAt"),
        row.integer("updatedAt"),
        None if text is None else reports.decode(text),
        _STATES.get(state, WorkerState.WORKING),  # a newer worker may know more of them
    )


def decode_pause(item: Item, table: str) -> Pause:
    """Return the pause of a row.

    Raises:
        CorruptRowError: It cannot be read.
    """
    row = ItemReader(item, table)
    return Pause(row.text("by"), row.integer("at"), row.text("reason"))


def decode_settings(item: Item, table: str) -> FleetSettings:
    """Return the settings of a row.

    Raises:
        CorruptRowError: They cannot be read; the message says what to do.
    """
    row = ItemReader(item, table)
    try:
        return FleetSettings(
            row.text_set("destinations"),
            row.text("namePrefix"),
            row.integer("leaseMs"),
            row.integer("protocol"),
            row.text_set("bus") or None,
        )
    except CorruptRowError as error:
        raise row.corrupt(error.field, "cannot be read; stop all workers, then delete the row") from error


def _is_known(item: Item, key: str) -> bool:
    """Tell whether this release knows a lease's kind and state; else it would hold it and do nothing."""
    kind = key == SWEEP_KEY or key.count("#") >= 2  # noqa: PLR2004 - lease, label, shard
    return kind and item.get("state", {}).get("S", READING) in {READING, FINISHED}


def decode_fleet(items: Iterable[Item], table: str) -> Fleet:
    """Return the fleet of its rows. Kinds of records that only a newer worker knows are passed over.

    Raises:
        CorruptRowError: The settings cannot be read. Any other row that cannot be read is named in `Fleet.unreadable`;
            a pause that cannot be read is a pause.
    """
    leases: dict[str, Lease] = {}
    workers: dict[str, WorkerRecord] = {}
    pause, settings, faults = None, None, []
    for item in items:
        key = ItemReader(item, table).text("recordKey")
        try:
            if key.startswith(_LEASE_PREFIX):
                if _is_known(item, key):
                    leases[key] = decode_lease(item, table)
            elif key.startswith(_WORKER_PREFIX):
                worker = decode_worker(item, table)
                workers[worker.worker_id] = worker
            elif key == PAUSE_KEY:
                pause = Pause("unknown", 0, "the record of the pause cannot be read; `relay resume` removes it")
                pause = decode_pause(item, table)
        except CorruptRowError as error:
            faults.append(f"{key}: {error}")
        if key == SETTINGS_KEY:
            settings = decode_settings(item, table)
    return Fleet(leases, workers, pause, settings, tuple(faults))
