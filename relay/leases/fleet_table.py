"""The fleet's partition of the relay table: one look at all of it, and conditional writes of single records."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from eventstore.backoff import Backoff
from eventstore.dynamodb.caller import Caller, Operation, Refused, Taken
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import EventStoreError, RequestRefusedError, TableLayoutError, TryLaterError
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import Item
from relay.leases import records
from relay.leases.errors import LeaseLostError
from relay.leases.fleet import Fleet, FleetSettings, Lease, Pause, WorkerRecord
from relay.leases.lease_writes import LEASES_MAX, LeaseWrites
from relay.leases.position import Position

_NAMES = {
    "#owner": "owner", "#term": "term", "#counter": "counter", "#to": "handOverTo", "#state": "state",
    "#position": "feedPosition", "#at": "updatedAt", "#key": "recordKey", "#destinations": "destinations",
    "#prefix": "namePrefix", "#ms": "leaseMs", "#protocol": "protocol",
    "#bus": "bus",
}  # fmt: skip
_MINE = "#owner = :owner AND #term = :term"
_ONE = {"N": "1"}

_T = TypeVar("_T")
_A = TypeVar("_A")


class FleetTable:
    """Reads and writes what all workers share. Every call is bounded in attempts, and safe to make again.

    All methods raise `TryLaterError` when DynamoDB did not answer or kept refusing for load (a write may then have
    happened), and `SetUpError` when the table is absent or no relay table, or may not be used.

    Args:
        client: With time-outs well below the duration of a lease: one lost packet shall not cost all leases.
        tables: Names of the tables.
        runtime: Clock and chance for the pauses.
        backoff: Attempts of one call; few, since who renews leases must not dwell on one of them.
    """

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._client = client
        self._table = tables.relay
        self._runtime = runtime
        self._caller = Caller(client, runtime, backoff)
        self._leases = LeaseWrites(self._caller, tables.relay)

    def look(self) -> Fleet:
        """Return all records, each as of some moment during the call.

        Raises:
            TableLayoutError: The table has other keys, so it belongs to something else.
            CorruptRowError: The settings in force cannot be read; the message says what to do.
        """
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "recordType = :type",
            "ExpressionAttributeValues": {":type": {"S": records.RECORD_TYPE}},
            "ConsistentRead": True,
        }
        try:
            pages = list(self._caller.pages(self._client.query, request, needs="Items"))
        except RequestRefusedError as error:
            reason = f"it has no keys recordType and recordKey: {error.args[0]}"
            raise TableLayoutError(self._table, [reason]) from error
        return records.decode_fleet([item for page in pages for item in page["Items"]], self._table)

    def create_lease(self, key: str) -> bool:
        """Create a lease that nobody holds; False when it is there already."""
        return _only(self.create_leases([key]))

    def create_leases(self, keys: Sequence[str]) -> dict[str, bool | TryLaterError]:
        """Create leases that nobody holds; False for one that is there already, an error for one that may not be."""
        return self._in_calls(keys, lambda some: self._leases.create(some, self._runtime.now_ms()))

    def renew(self, key: str, owner: str, term: int) -> Lease:
        """Send a heartbeat for a lease, and return the lease as it is afterwards.

        Raises:
            LeaseLostError: It is not held by this owner under this term.
        """
        return _only(self._leases.renew({key: term}, owner))

    def renew_all(self, terms: Mapping[str, int], owner: str) -> dict[str, Lease | EventStoreError]:
        """Send a heartbeat for leases by one call; see `LeaseWrites.renew`."""
        return self._leases.renew(terms, owner)

    def take(self, seen: Lease, owner: str) -> Lease | None:
        """Take a lease that has not changed since it was seen, and return it under its new term; None when it has."""
        return _only(self._leases.take([seen], owner))

    def take_all(self, seen: Sequence[Lease], owner: str) -> dict[str, Lease | EventStoreError | None]:
        """Take leases by one call; see `LeaseWrites.take`."""
        return self._leases.take(seen, owner)

    def save(self, key: str, owner: str, term: int, position: Position | None, *, finished: bool) -> None:
        """Write the checkpoint; `finished` says that the shard is closed and dealt with, and frees the lease.

        Raises:
            LeaseLostError: The lease is not held by this owner under this term; nothing was written.
        """
        update = "SET #state = :state, #at = :now"
        values = {
            **_holder(owner, term),
            ":state": {"S": records.FINISHED if finished else records.READING},
            ":now": {"N": str(self._runtime.now_ms())},
        }
        if position is not None:
            update += ", #position = :position"
            values[":position"] = {"S": str(position)}
        if finished:
            update += " REMOVE #owner, #to"
        changed = self._update(key, update, _MINE, values)
        if isinstance(changed, Refused):
            there = None if not changed.item else records.decode_lease(changed.item, self._table)
            if finished and there is not None and there.finished and there.term == term:
                return  # ours: the reply to an attempt before this one was lost
            raise LeaseLostError(key, worker_id=owner, term=term)

    def release(self, key: str, owner: str, term: int, *, to: str | None = None) -> bool:
        """Free a lease, or give it to the worker that asks for it; False, and no change, when another took it before.

        Args:
            key: The lease's.
            owner: Who holds it.
            term: Under which term.
            to: Who asked for it; when it does so no more, the lease is free.
        """
        values = {**_holder(owner, term), ":one": _ONE}
        if to is None:
            update, condition = "ADD #counter :one REMOVE #owner, #to", _MINE
        else:
            update, condition = "SET #owner = :to ADD #counter :one, #term :one REMOVE #to", f"{_MINE} AND #to = :to"
            values[":to"] = {"S": to}
        changed = self._update(key, update, condition, values)
        if not isinstance(changed, Refused):
            return True
        there = None if not changed.item else records.decode_lease(changed.item, self._table)
        if there is None:
            return False
        if to is not None and (there.owner, there.term) == (owner, term):
            return self.release(key, owner, term)
        done = (None, term) if to is None else (to, term + 1)  # by a first attempt whose reply was lost
        return (there.owner, there.term) == done

    def ask_for(self, seen: Lease, worker_id: str) -> bool:
        """Ask the owner of a lease to hand it over; False when the lease has changed since it was seen."""
        asked = "attribute_not_exists(#to)" if seen.hand_over_to is None else "#to = :before"
        values = {**_seen_values(seen), ":me": {"S": worker_id}}
        if seen.hand_over_to is not None:
            values[":before"] = {"S": seen.hand_over_to}
        changed = self._update(seen.key, "SET #to = :me", f"{_as_seen(seen)} AND {asked}", values)
        if isinstance(changed, Refused):
            there = None if not changed.item else records.decode_lease(changed.item, self._table)
            return there is not None and there.hand_over_to == worker_id
        return True

    def ask_no_more(self, key: str, worker_id: str) -> Lease | None:
        """Take a request back, so that nobody hands the lease over any more.

        Returns:
            The lease, when it was handed over before; None when it never will be.
        """
        changed = self._update(key, "REMOVE #to", "#to = :me", {":me": {"S": worker_id}})
        if isinstance(changed, Refused) and changed.item:
            there = records.decode_lease(changed.item, self._table)
            return there if there.owner == worker_id else None
        return None

    def remove_lease(self, seen: Lease) -> bool:
        """Remove a lease that nobody holds and that has not changed since it was seen; tell whether it is gone."""
        return _only(self.remove_leases([seen]))

    def remove_leases(self, seen: Sequence[Lease]) -> dict[str, bool | TryLaterError]:
        """Remove leases likewise; False for one that is there, an error for one that may be."""
        held: dict[str, bool | TryLaterError] = {lease.key: False for lease in seen if lease.owner is not None}
        free = [lease for lease in seen if lease.owner is None]
        return held | self._in_calls(free, self._leases.remove)

    def _in_calls(self, each: Sequence[_T], write: Callable[[Sequence[_T]], dict[str, _A]]) -> dict[str, _A]:
        written: dict[str, _A] = {}
        for start in range(0, len(each), LEASES_MAX):
            written |= write(each[start : start + LEASES_MAX])
        return written

    def write_worker(self, record: WorkerRecord) -> None:
        """Write a worker's record, as its heartbeat."""
        self._write(self._client.put_item, Item=records.encode_worker(record))

    def remove_worker(self, worker_id: str, *, counter: int | None = None) -> None:
        """Remove a worker's record; one that has sent a heartbeat since `counter` stays."""
        key = records.key_of(records.worker_key(worker_id))
        condition = {} if counter is None else _condition("#counter = :counter", {":counter": {"N": str(counter)}})
        changed = self._write(self._client.delete_item, Key=key, **condition)
        if isinstance(changed, Refused):
            return

    def settings_check(self, seen: FleetSettings | None) -> dict[str, Any]:
        """Return a `ConditionCheck` that holds while the destinations in force, and the bus, are those that were seen.

        Args:
            seen: The settings; None when none were in force.
        """
        check: dict[str, Any] = {
            "TableName": self._table,
            "Key": records.key_of(records.SETTINGS_KEY),
            "ConditionExpression": "attribute_not_exists(recordKey)",
        }
        if seen is not None:  # with none in force the commits are owed to nobody else
            values = {":seen": {"SS": sorted(seen.destinations)}}
            same = "destinations = :seen"
            if seen.bus is not None:
                values[":bus"] = {"SS": sorted(seen.bus)}
                same += " AND bus = :bus"
            check["ConditionExpression"] += f" OR ({same})"
            check["ExpressionAttributeValues"] = values
        return check

    def put_settings(self, new: FleetSettings, seen: FleetSettings | None) -> bool:
        """Put settings in force in place of those that were seen; False when others are in force by now."""
        if seen is None:
            condition = _condition("attribute_not_exists(#key)")
        else:
            before = records.encode_settings(seen)
            pairs = {
                "destinations": "#destinations = :destinations",
                "namePrefix": "#prefix = :namePrefix",
                "leaseMs": "#ms = :leaseMs",
                "protocol": "#protocol = :protocol",
            }
            if seen.bus is not None:
                pairs["bus"] = "#bus = :bus"
            terms = [*pairs.values(), *(["attribute_not_exists(#bus)"] if seen.bus is None else [])]
            condition = _condition(" AND ".join(terms), {f":{name}": before[name] for name in pairs})
        changed = self._write(self._client.put_item, Item=records.encode_settings(new), **condition)
        if isinstance(changed, Refused):
            return changed.item is not None and records.decode_settings(changed.item, self._table) == new
        return True

    def pause(self, pause: Pause) -> Pause | None:
        """Stop delivery of all workers; return the pause that was there before, which stays, or None."""
        condition = _condition("attribute_not_exists(#key)")
        changed = self._write(self._client.put_item, Item=records.encode_pause(pause), **condition)
        if isinstance(changed, Refused):
            there = records.decode_pause(changed.item, self._table) if changed.item else None
            return None if there == pause else there
        return None

    def resume(self) -> None:
        """Resume delivery."""
        self._write(self._client.delete_item, Key=records.key_of(records.PAUSE_KEY))

    def _update(self, key: str, update: str, condition: str, values: Mapping[str, Any]) -> Item | Refused:
        """Change a record and return it as it is after that."""
        written = self._write(
            self._client.update_item,
            needs="Attributes",
            Key=records.key_of(key),
            UpdateExpression=update,
            ReturnValues="ALL_NEW",
            **_condition(condition, values, also=update),
        )
        if isinstance(written, Refused):
            return written
        item: Item = written.reply["Attributes"]
        return item

    def _write(self, operation: Operation, *, needs: str | None = None, **request: Any) -> Taken | Refused:
        """Make a write, again when it is not known to have happened; the caller knows how to see its own effect."""
        what = "a record of the fleet"
        return self._caller.write(
            operation, what=what, needs=needs, is_repeatable=True, TableName=self._table, **request
        )


def _only(answers: Mapping[str, _A | EventStoreError]) -> _A:
    """Return the only answer, or raise it."""
    (answer,) = answers.values()
    if isinstance(answer, EventStoreError):
        raise answer
    return answer


def _holder(owner: str, term: int) -> dict[str, Any]:
    return {":owner": {"S": owner}, ":term": {"N": str(term)}}


def _as_seen(seen: Lease) -> str:
    owner = "attribute_not_exists(#owner)" if seen.owner is None else "#owner = :owner"
    return f"{owner} AND #term = :term AND #counter = :counter"


def _seen_values(seen: Lease) -> dict[str, Any]:
    values = {":term": {"N": str(seen.term)}, ":counter": {"N": str(seen.counter)}}
    return values if seen.owner is None else {**values, ":owner": {"S": seen.owner}}


def _condition(condition: str, values: Mapping[str, Any] | None = None, *, also: str = "") -> dict[str, Any]:
    """Return a condition with just the names that it, or the update beside it, uses: DynamoDB refuses others."""
    places = set(re.findall(r"#[a-z]+", f"{condition} {also}"))
    request: dict[str, Any] = {
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {place: _NAMES[place] for place in sorted(places)},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if values:
        request["ExpressionAttributeValues"] = values
    return request
