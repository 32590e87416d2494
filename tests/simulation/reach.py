"""Who can reach a server: nobody while it is down, and all but those that are cut off."""

from dataclasses import dataclass, field

from tests.simulation.scheduler import Process, Scheduler

SILENT_SECONDS = 1.0
"""How long a call waits for a server that says nothing, not even that it is not there."""


@dataclass(slots=True)
class Reach:
    """The way to one server.

    Attributes:
        is_down: Nobody reaches it.
        is_silent: Calls wait for it, instead of being refused at once.
        cut_off: Processes that do not reach it, though others do.
    """

    is_down: bool = False
    is_silent: bool = False
    cut_off: set[Process] = field(default_factory=set)

    def is_lost_for(self, scheduler: Scheduler) -> bool:
        """Tell whether the current process does not reach it; if it does not, time may have gone by."""
        if not self.is_down and scheduler.current.process not in self.cut_off:
            return False
        if self.is_silent:
            scheduler.wait("no answer", None, SILENT_SECONDS)
        return True
