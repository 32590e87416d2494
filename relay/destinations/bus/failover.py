"""Which node of a cluster is asked: the one that answered last, then the others, within one call."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from relay.destinations.bus.address import BusAddress
from relay.destinations.bus.broker import BrokerError, TopologyError

T = TypeVar("T")

BEGIN_WITHIN_SECONDS = 30.0
"""After so long no further node is begun with in the same call; the next call begins there."""

_log = structlog.get_logger()


class Failover:
    """The addresses of one broker, and where to begin. For one part.

    Args:
        addresses: At least one; all are nodes of one cluster.
        monotonic: A clock.
    """

    def __init__(self, addresses: Sequence[BusAddress], monotonic: Callable[[], float] = time.monotonic) -> None:
        assert addresses, "a broker has an address"
        self._addresses = tuple(addresses)
        self._monotonic = monotonic
        self._begin = 0

    def first(self, connect: Callable[[BusAddress], T]) -> T:
        """Return what `connect` returns for the first node for which it raises nothing; each is asked once.

        Raises:
            BrokerError: None can be used. When a node refuses for a reason that a person must mend, that is raised;
                else what the last one said, with the others' words.
        """
        began_at = self._monotonic()
        faults: list[BrokerError] = []
        count, begin = len(self._addresses), self._begin
        for place in range(count):
            if faults and self._monotonic() - began_at >= BEGIN_WITHIN_SECONDS:
                break
            index = (begin + place) % count
            try:
                found = connect(self._addresses[index])
            except BrokerError as error:
                faults.append(error)
                self._begin = (index + 1) % count
            else:
                self._begin = index
                for fault in faults:
                    _log.warning("bus.node_passed_over", error=str(fault), used=str(self._addresses[index]))
                return found
        raise _worst(faults)


def _worst(faults: Sequence[BrokerError]) -> BrokerError:
    """Return the error for all of them: what only a person can mend first."""
    if len(faults) == 1:
        return faults[0]
    chosen = next((fault for fault in faults if isinstance(fault, TopologyError)), faults[-1])
    told = type(chosen)("; ".join(str(fault) for fault in (chosen, *(each for each in faults if each is not chosen))))
    told.__cause__ = chosen
    return told
