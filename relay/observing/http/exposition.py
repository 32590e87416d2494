"""The page that Prometheus reads."""

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from relay.observing.recording import RecordingMeter

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """The meter's numbers, and those of the process, in the text format."""

    def __init__(self, meter: RecordingMeter) -> None:
        # A registry of its own: the default one is shared by the whole process, and would keep this relay for ever.
        self._registry = CollectorRegistry()
        self._registry.register(meter)
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """Return it in the text format, version 0.0.4."""
        return generate_latest(self._registry)
