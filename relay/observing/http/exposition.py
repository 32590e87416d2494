"""The meter's numbers in the format of Prometheus; the only module that knows its client library."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from relay.metrics import HistogramReading, Kind, Reading, RecordingMeter
from relay.metrics import Metric as OwnMetric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MeterCollector(Collector):
    """Reads a meter whenever Prometheus scrapes."""

    def __init__(self, meter: RecordingMeter) -> None:
        self._meter = meter

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that was reported."""
        by_metric: dict[OwnMetric, list[Reading]] = {}
        for reading in self._meter.readings():
            by_metric.setdefault(reading.metric, []).append(reading)
        for metric, readings in by_metric.items():
            yield _family(metric, readings)


class Exposition:
    """The page that Prometheus reads: the meter's numbers, and those of the process."""

    def __init__(self, meter: RecordingMeter) -> None:
        # A registry of its own: the default one is shared by the whole process, and would keep this relay for ever.
        self._registry = CollectorRegistry()
        self._registry.register(MeterCollector(meter))
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """Return it in the text format, version 0.0.4."""
        return generate_latest(self._registry)


def _family(metric: OwnMetric, readings: Iterable[Reading]) -> Metric:
    match metric.kind:
        case Kind.COUNTER:
            counter = CounterMetricFamily(metric.name.removesuffix("_total"), metric.means, labels=metric.labels)
            for reading in readings:
                assert isinstance(reading.value, float)
                counter.add_metric(reading.labels, reading.value)
            return counter
        case Kind.GAUGE:
            gauge = GaugeMetricFamily(metric.name, metric.means, labels=metric.labels)
            for reading in readings:
                assert not isinstance(reading.value, HistogramReading)
                gauge.add_metric(reading.labels, reading.value)
            return gauge
        case Kind.HISTOGRAM:
            histogram = HistogramMetricFamily(metric.name, metric.means, labels=metric.labels)
            ends = (*(str(each) for each in metric.buckets), "+Inf")
            for reading in readings:
                assert isinstance(reading.value, HistogramReading)
                buckets = list(zip(ends, map(float, reading.value.counts), strict=True))
                histogram.add_metric(reading.labels, buckets, reading.value.total)
            return histogram
