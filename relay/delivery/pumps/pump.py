"""What the parts that serve a destination have in common: who looks at a worker asks them how it is."""

import re
from abc import abstractmethod

import structlog

from eventstore.ports import Runtime
from relay.destination import Trouble, TroubleKind
from relay.lifecycle import Service
from relay.metrics import SILENT, Meter
from relay.progress import Progress

_NUMBERS = re.compile(r"[0-9]+")
_SAID_MAX = 20


class Pump(Service):
    """Serves one destination. Told to stop, it ends what is under way and releases the destination's connections."""

    def __init__(self, name: str, runtime: Runtime, meter: Meter = SILENT, progress: Progress | None = None) -> None:
        super().__init__(runtime)
        self._name = name
        self._meter = meter
        self._progress = progress or Progress(runtime)
        self._bell = runtime.channel(1)
        self._trouble: Trouble | None = None
        self._said: set[str] = set()
        self._well_since = runtime.monotonic()
        self._recovered_from: str | None = None
        self._log = structlog.get_logger().bind(destination=name)

    @property
    def name(self) -> str:
        """The destination's name."""
        return self._name

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong with the destination, as far as is known."""
        return self._trouble

    @property
    def warning(self) -> str | None:
        """What is amiss though the destination takes everything; None when nothing is."""
        return None

    @property
    def failures(self) -> int:
        """How many attempts in a row it took nothing."""
        return 0

    @property
    @abstractmethod
    def in_order(self) -> bool:
        """Whether the destination keeps each aggregate's order, so that pages wait for it."""

    @property
    def has_breaker(self) -> bool:
        """Whether it is left alone for a while after trouble."""
        return False

    def is_breaker_open(self) -> bool:
        """Tell whether it is left alone for now, so that handing anything over is pointless."""
        return False

    def stop(self) -> None:
        """See `Service`."""
        super().stop()
        self.ring()

    def ring(self) -> None:
        """Look for work now. Any part may call this."""
        self._bell.put(True, 0)

    def _note(self, trouble: Trouble | None) -> None:
        """Remember how the destination is, and say so when that changes: each reason once until it is well again."""
        if trouble is None and self._trouble is not None:
            self._recovered_from = self._trouble.reason
            self._tell_recovery()
            self._well_since = self._runtime.monotonic()
        if trouble is None:
            self._said.clear()
        elif self._is_new(trouble):
            # What does not heal needs a person, which is what an error means.
            say = self._log.warning if trouble.kind is TroubleKind.OUTAGE else self._log.error
            say("destination.troubled", kind=trouble.kind.value, reason=trouble.reason)
        self._trouble = trouble

    def _is_new(self, trouble: Trouble) -> bool:
        """Tell whether something else is the matter than was said already; other numbers are nothing else."""
        if self._trouble is not None and trouble.kind is not self._trouble.kind:
            self._said.clear()
        words = _NUMBERS.sub("", trouble.reason)
        if words in self._said or len(self._said) == _SAID_MAX:
            return False
        self._said.add(words)
        return True

    def _tell_recovery(self) -> None:
        """Say once that the destination is well again: not while something is still amiss with it."""
        if self._recovered_from is not None and self.warning is None:
            self._log.info("destination.recovered", after=self._recovered_from)
            self._recovered_from = None
