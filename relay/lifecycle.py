"""How everything long-lived in the relay starts and stops: one contract, and the part of it that all have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from eventstore.ports import Part, Runtime


class Service(ABC):
    """Something long-lived that runs in parts of its own, beside whoever starts it.

    It lives once: `start`, `stop`, `join`. Whoever starts it looks at `dead_part` now and then. What it does between
    `stop` and its end, and how long that may take, each service says of itself; what was begun is finished, and
    nothing new begun. A service that was told to stop before it started ends as soon as it is started.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._stopping = runtime.flag()
        self._parts: tuple[Part, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its parts, once started."""
        return self._parts

    @property
    def dead_part(self) -> Part | None:
        """A part that an exception has ended; None while all is well, and after a proper end."""
        return next((part for part in self._parts if part.failure is not None), None)

    def start(self) -> None:
        """Start its parts, and return at once."""
        assert not self._parts, "a service lives once"
        self._parts = tuple(self._runtime.spawn(name, body) for name, body in self._bodies().items())

    def stop(self) -> None:
        """Ask it to end, and return at once. Any part may call this, at any time, and again."""
        self._stopping.set()

    def join(self, timeout_seconds: float) -> bool:
        """Wait until all its parts have ended; False when one still runs after that time."""
        deadline = self._runtime.monotonic() + timeout_seconds
        ended = [part.join(max(0.0, deadline - self._runtime.monotonic())) for part in self._parts]
        return all(ended)

    @abstractmethod
    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        """Return what its parts do, by name. Each body ends soon after `_stopping` is raised."""
