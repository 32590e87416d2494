"""What is drawn from a seed: a stream of numbers per purpose, and which faults strike how often.

To add a fault: a line in `FAULTS`, and at the place where it strikes `if chance.strikes("its.name"):`.
"""

from collections.abc import Collection
from random import Random
from typing import Any

from tests.simulation import operator_faults
from tests.simulation.coverage import Coverage

TABLES_ARE_REMADE = True
"""Whether tables are removed and made anew under their names, or restored from a backup."""

FAULTS: dict[str, float] = {
    # Of the way to DynamoDB, per call
    "dynamo.unreachable": 0.01,
    "dynamo.slow": 0.05,
    "dynamo.slow_commit": 0.5,
    "dynamo.cut_update": 0.02,
    # Of the in-memory DynamoDB itself, by the names of its `Weather`
    "aws.throttle": 0.02,
    "aws.server_error": 0.01,
    "aws.server_error_after": 0.01,
    "aws.lost_request": 0.02,
    "aws.lost_reply": 0.03,
    "aws.cut_short": 0.02,
    "aws.transaction_conflict": 0.03,
    "aws.unprocessed": 0.1,
    "aws.hide_transaction": 0.8,
    "aws.stale_read": 0.3,
    "aws.short_page": 0.3,
    "aws.delay_index": 0.3,
    "aws.swap_records": 0.3,
    "aws.hold_record": 0.3,
    "aws.split_shard": 0.02,
    "aws.rotate_shards": 0.02,
    "aws.list_late": 0.3,
    "aws.open_parent": 0.3,
    "aws.short_listing": 0.3,
    "aws.empty_page": 0.1,
    "aws.short_feed_page": 0.3,
    "aws.linger_at_end": 0.3,
    "aws.expire_iterator": 0.02,
    "aws.trim": 0.02,
    # Of the bus, per message or poll
    "bus.nack": 0.02,
    "bus.drop_before": 0.004,
    "bus.drop_after": 0.004,
    "bus.late_taking": 0.5,
    # Of the index, per request
    "index.busy_item": 0.05,
    "index.failed_item": 0.03,
    "index.lost_before": 0.02,
    "index.lost_after": 0.03,
    "index.cut_reply": 0.01,
    "index.slow": 0.05,
    "index.too_large": 0.04,
    # Of processes, per step
    "crash.relay": 0.002,
    "crash.writer": 0.002,
    "crash.operator": 0.002,
    "crash.consumer": 0.05,
    "pause.part": 0.0005,
    "pause.process": 0.0005,
    # Of the weather, per look
    "weather.bus_down": 0.03,
    "weather.bus_stalled": 0.03,
    "weather.bus_blocked": 0.03,
    "weather.bus_unroutable": 0.05,
    "weather.queue_refuses": 0.03,
    "weather.queue_silent": 0.03,
    "weather.queue_slow": 0.03,
    "weather.index_down": 0.04,
    "weather.index_refuses": 0.02,
    "weather.replace_stream": 0.01,
    "weather.stop_relay": 0.03,
    "weather.other_settings": 0.05,
    "weather.replay": 0.05,
    "weather.release": 0.1,
    "weather.drop": 0.05,
    "weather.pause_delivery": 0.02,
    "weather.old_mark": 0.03,
    # Of what is written, per append
    "event.poison": 0.03,
    "event.too_large": 0.1,
    # Of the tables, per look
    **({"weather.remake_tables": 0.02, "weather.restore_tables": 0.02} if TABLES_ARE_REMADE else {}),
    # Of visitors, per step
    "crash.visitor": 0.002,
    # Of servers as a whole, and of the way to them, per look; see `outages`
    "weather.dynamo_down": 0.02,
    "weather.cut_off_from_dynamo": 0.03,
    "weather.cut_off_from_bus": 0.02,
    "weather.cut_off_from_index": 0.02,
    "weather.bus_restarts": 0.02,
    "pause.long": 0.0001,
    "dynamo.slow_mark": 0.9,
    # Of the store record, per look; see `epochs`
    "weather.raise_epoch": 0.02,
}
"""Each kind of fault with its usual chance."""

ALL_FAULTS = FAULTS | operator_faults.OPERATOR_FAULTS
"""And those of `operator_faults`."""

_ENABLED = 0.7


class Chance:
    """The seed's word on everything that is not the order of parts.

    Args:
        seed: The seed.
        coverage: Told of every fault that strikes.
        without: Kinds of faults that are left out, whatever the seed says.
    """

    def __init__(self, seed: str, coverage: Coverage, without: Collection[str] = ()) -> None:
        self._seed = seed
        self._coverage = coverage
        self._streams: dict[str, Random] = {}
        draw = Random(f"faults {seed}")
        drawn = {
            name: rate * draw.choice((0.3, 1.0, 2.5)) * (draw.random() < _ENABLED) for name, rate in FAULTS.items()
        } | operator_faults.drawn(seed)
        self.rates = {name: rate for name, rate in drawn.items() if rate and name not in without}
        self.is_stormy = False

    def stream(self, purpose: str) -> Random:
        """Return the stream of numbers of a purpose, so that one purpose does not disturb another."""
        found = self._streams.get(purpose)
        if found is None:
            found = self._streams[purpose] = Random(f"{purpose} {self._seed}")
        return found

    def rates_of(self, group: str) -> dict[str, Any]:
        """Return the rates of a group of faults, by their names without it: those that another one draws."""
        named = ((name.partition("."), rate) for name, rate in self.rates.items())
        return {name: min(1.0, rate) for (prefix, _, name), rate in named if prefix == group}

    def strikes(self, name: str) -> bool:
        """Tell whether a fault strikes now."""
        assert name in ALL_FAULTS, f"{name} is no kind of fault; add it to FAULTS"
        rate = self.rates.get(name)
        if rate is None or not self.is_stormy or self.stream(name).random() >= rate:
            return False
        self._coverage.faults[name] += 1
        return True
