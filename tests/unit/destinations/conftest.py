"""A broker that says what the test wrote down, on a clock that moves only while somebody waits."""

from collections.abc import Callable, Sequence

import pytest

from eventstore.system import SystemRuntime
from relay.destinations.bus.broker import BrokerError, BrokerEvent, Message
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.settings import BusSettings


class SteppedRuntime(SystemRuntime):
    """A runtime whose monotonic clock is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


class ScriptedBroker:
    """Gives sessions; `script` is what each poll answers, one entry per poll, silence afterwards."""

    def __init__(self, runtime: SteppedRuntime) -> None:
        self.runtime = runtime
        self.script: list[Sequence[BrokerEvent] | BrokerError] = []
        self.published: list[str] = []
        self.sessions: list[ScriptedSession] = []
        self.connect_error: BrokerError | None = None
        self.publish_errors: dict[str, BrokerError] = {}

    def connect(self) -> "ScriptedSession":
        if self.connect_error is not None:
            raise self.connect_error
        self.sessions.append(ScriptedSession(self))
        return self.sessions[-1]


class ScriptedSession:
    frame_max_bytes = 131_072
    missing = None

    def __init__(self, broker: ScriptedBroker) -> None:
        self._broker = broker
        self._last_tag = 0
        self.closed = False
        self.waits: list[float] = []

    def publish(self, message: Message) -> int:
        assert not self.closed, "a closed session was used"
        error = self._broker.publish_errors.get(message.message_id)
        if error is not None:
            raise error
        self._broker.published.append(message.message_id)
        self._last_tag += 1
        return self._last_tag

    def poll(self, timeout_seconds: float) -> Sequence[BrokerEvent]:
        assert not self.closed, "a closed session was used"
        self.waits.append(timeout_seconds)
        if not self._broker.script:
            self._broker.runtime.seconds += timeout_seconds
            return []
        answer = self._broker.script.pop(0)
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    def wake(self) -> None:
        """Its polls do not wait."""

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def runtime() -> SteppedRuntime:
    return SteppedRuntime()


@pytest.fixture
def broker(runtime: SteppedRuntime) -> ScriptedBroker:
    return ScriptedBroker(runtime)


@pytest.fixture
def make_bus(broker: ScriptedBroker, runtime: SteppedRuntime) -> Callable[..., Bus]:
    return lambda **settings: Bus(broker, runtime, BusSettings(**settings))
