"""A meter that records what parts report, in Prometheus' own counters and histograms."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from eventstore.errors import SetUpError
from eventstore.ports import Runtime
from relay import metrics
from relay.metrics import CATALOGUE, OTHER, Kind, Labels, Look, Metric

_SEVERAL_PROCESSES = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")


class RecordingMeter(Collector):
    """A `Meter` in memory, for many threads; its size is bounded by the catalogue and `LABEL_SETS_MAX`.

    It belongs to no registry: whoever shows it registers it with one of its own.

    Raises:
        SetUpError: Prometheus' client library was told to keep its numbers in files, for a server of several processes.
    """

    def __init__(self, runtime: Runtime) -> None:
        told = next((name for name in _SEVERAL_PROCESSES if os.environ.get(name)), None)
        if told is not None:
            raise SetUpError(f"{told} is set: a relay is one process, and keeps its metrics in memory; unset it")
        self._runtime = runtime
        self._counters = {
            each.name: _Series(each, Counter(each.name, each.means, each.labels, registry=None), runtime)
            for each in CATALOGUE
            if each.kind is Kind.COUNTER
        }
        self._histograms = {
            each.name: _Series(
                each, Histogram(each.name, each.means, each.labels, buckets=each.buckets, registry=None), runtime
            )
            for each in CATALOGUE
            if each.kind is Kind.HISTOGRAM
        }
        self._looks: dict[str, Look] = {}

    def count(self, metric: Metric, *labels: str, amount: float = 1) -> None:
        """See `Meter`."""
        assert metric.kind is Kind.COUNTER, f"{metric.name} is a {metric.kind}"
        assert amount >= 0, "a counter never goes down"
        self._counters[metric.name].of(labels).inc(amount)

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        """See `Meter`."""
        assert metric.kind is Kind.HISTOGRAM, f"{metric.name} is a {metric.kind}"
        self._histograms[metric.name].of(labels).observe(seconds)

    @contextmanager
    def timed(self, metric: Metric, *labels: str) -> Iterator[None]:
        """See `Meter`."""
        started = self._runtime.monotonic()
        try:
            yield
        finally:
            self.observe(metric, self._runtime.monotonic() - started, *labels)

    def watch(self, metric: Metric, look: Look) -> None:
        """See `Meter`."""
        assert metric.kind is not Kind.HISTOGRAM, f"{metric.name} is a histogram"
        self._looks[metric.name] = look

    def collect(self) -> Iterator[Family]:
        """Yield every metric as it is now, in the order of the catalogue; gauges that nobody shows are left out."""
        looks = dict(self._looks)
        for metric in CATALOGUE:
            look = looks.get(metric.name)
            if look is not None:
                yield _looked_at(metric, look())
            elif metric.kind is Kind.COUNTER:
                yield from self._counters[metric.name].families()
            elif metric.kind is Kind.HISTOGRAM:
                yield from self._histograms[metric.name].families()

    def series(self, metric: Metric) -> dict[Labels, float]:
        """Return a metric's series as they are now, by label values; of a histogram how much was observed."""
        wanted = f"{metric.name}_count" if metric.kind is Kind.HISTOGRAM else metric.name
        return {
            tuple(sample.labels[label] for label in metric.labels): sample.value
            for family in self.collect()
            for sample in family.samples
            if sample.name == wanted
        }


T = TypeVar("T", Counter, Histogram)


class _Series(Generic[T]):
    """All series of one metric, by label values: the library's own look-up checks and copies these for each count."""

    def __init__(self, metric: Metric, whole: T, runtime: Runtime) -> None:
        self._metric = metric
        self._whole: T = whole
        self._known: dict[Labels, T] = {}
        self._lock = runtime.lock()

    def of(self, labels: Labels) -> T:
        """Return the series of these label values; beyond the bound, the one that all others share."""
        found = self._known.get(labels)
        return self._new(labels) if found is None else found

    def families(self) -> Iterator[Family]:
        """Yield what is shown: without a second series for each, of when it was made."""
        for family in self._whole.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family

    def _new(self, labels: Labels) -> T:
        names = self._metric.labels
        assert len(labels) == len(names), f"{self._metric.name} is told apart by {names}, not by {labels}"
        with self._lock:
            key = labels if len(self._known) < metrics.LABEL_SETS_MAX else (OTHER,) * len(labels)
            child = self._known.get(key)
            if child is None:
                child = self._known[key] = self._whole.labels(*key) if key else self._whole
            return child


def _looked_at(metric: Metric, seen: Mapping[Labels, float]) -> Family:
    family: CounterMetricFamily | GaugeMetricFamily
    if metric.kind is Kind.COUNTER:
        family = CounterMetricFamily(metric.name, metric.means, labels=metric.labels)
    else:
        family = GaugeMetricFamily(metric.name, metric.means, labels=metric.labels)
    for labels, value in seen.items():
        family.add_metric(labels, value)
    return family
