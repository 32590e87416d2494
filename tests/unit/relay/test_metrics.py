"""What the meter keeps, and what Prometheus is shown of it."""

import threading
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import relay
from eventstore.errors import SetUpError
from eventstore.system import SystemRuntime
from eventstore.testing.manual_runtime import ManualRuntime
from relay import metrics
from relay.metrics import CATALOGUE, Kind, Metric, SilentMeter
from relay.observing.http.exposition import Exposition
from relay.observing.recording import RecordingMeter


def shown(meter: RecordingMeter) -> dict[str, float]:
    """Return the page as a scraper reads it: name with labels → value."""
    text = Exposition(meter).page().decode()
    return {
        f"{sample.name}{dict(sorted(sample.labels.items())) or ''}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("relay_")
    }


def test_a_scraper_reads_what_parts_told() -> None:
    """
    Counters add up, gauges are asked when somebody looks, buckets count everything up to their end.
    """
    clock = ManualRuntime()
    meter = RecordingMeter(clock)
    meter.count(metrics.RECORDS_READ, amount=3)
    meter.count(metrics.RECORDS_READ)
    meter.count(metrics.RETRIES, "bus", "nack")
    lag = {("shard-1",): 1.5}
    meter.watch(metrics.FEED_LAG, lambda: lag)
    with meter.timed(metrics.STAGE_SECONDS, "settle"):
        clock.advance(0.25)
    meter.observe(metrics.STAGE_SECONDS, 60.0, "settle")
    meter.watch(metrics.LEASES_TAKEN, lambda: {(): 7.0})
    lag[("shard-1",)] = 2.5

    found = shown(meter)

    assert found["relay_records_read_total"] == 4.0
    assert found["relay_leases_taken_total"] == 7.0
    assert found["relay_retries_total{'destination': 'bus', 'reason': 'nack'}"] == 1.0
    assert found["relay_feed_lag_seconds{'shard': 'shard-1'}"] == 2.5
    assert found["relay_stage_seconds_bucket{'le': '0.1', 'stage': 'settle'}"] == 0.0
    assert found["relay_stage_seconds_bucket{'le': '0.25', 'stage': 'settle'}"] == 1.0
    assert found["relay_stage_seconds_bucket{'le': '30.0', 'stage': 'settle'}"] == 1.0
    assert found["relay_stage_seconds_bucket{'le': '+Inf', 'stage': 'settle'}"] == 2.0
    assert found["relay_stage_seconds_count{'stage': 'settle'}"] == 2.0
    assert found["relay_stage_seconds_sum{'stage': 'settle'}"] == 60.25


def test_what_never_happened_is_zero_where_it_needs_no_label() -> None:
    """
    So that an alert on its growth does not miss the first time.

    What nobody shows is left out, and no series says when another was made.
    """
    meter = RecordingMeter(ManualRuntime())
    meter.count(metrics.SETTLED, "feed")

    assert shown(meter) == {
        "relay_records_read_total": 0.0,
        "relay_feed_trimmed_total": 0.0,
        "relay_shards_lost_total": 0.0,
        "relay_leases_taken_total": 0.0,
        "relay_leases_lost_total": 0.0,
        "relay_commits_settled_total{'source': 'feed'}": 1.0,
    }


@pytest.mark.parametrize("name", ["PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"])
def test_a_setting_for_servers_of_several_processes_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """
    It came with a base image, say: the library would write files, and fail at the first count without their folder.
    """
    monkeypatch.setenv(name, "/nowhere")

    with pytest.raises(SetUpError, match=f"{name} is set: a relay is one process.* unset it"):
        RecordingMeter(ManualRuntime())


def test_the_page_names_the_process_as_well() -> None:
    """
    Memory and open files of the process are what an operator asks for next.
    """
    page = Exposition(RecordingMeter(SystemRuntime())).page().decode()

    assert "process_resident_memory_bytes" in page


def test_a_failed_stage_is_timed_too() -> None:
    """
    The error passes.
    """
    clock = ManualRuntime()
    meter = RecordingMeter(clock)

    def fail() -> None:
        with meter.timed(metrics.STAGE_SECONDS, "settle"):
            clock.advance(2.0)
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()

    assert meter.series(metrics.STAGE_SECONDS) == {("settle",): 1}
    assert shown(meter)["relay_stage_seconds_sum{'stage': 'settle'}"] == 2.0


def test_threads_share_a_meter() -> None:
    """
    No count is lost.
    """
    meter = RecordingMeter(SystemRuntime())

    def work() -> None:
        for _ in range(2_000):
            meter.count(metrics.SETTLED, "feed")
            meter.observe(metrics.COMMIT_TO_CONFIRM, 1.0, "bus")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert meter.series(metrics.SETTLED) == {("feed",): 8_000}
    assert meter.series(metrics.COMMIT_TO_CONFIRM) == {("bus",): 8_000}


def test_a_server_cannot_fill_the_memory_with_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What is beyond the bound is counted together; what is known goes on under its name.
    """
    monkeypatch.setattr(metrics, "LABEL_SETS_MAX", 2)
    meter = RecordingMeter(SystemRuntime())
    for number in range(5):
        meter.count(metrics.RETRIES, "index", f"status_{number}")
    meter.count(metrics.RETRIES, "index", "status_0")

    assert meter.series(metrics.RETRIES) == {
        ("index", "status_0"): 2.0,
        ("index", "status_1"): 1.0,
        ("other", "other"): 3.0,
    }


def test_a_slip_in_a_metric_is_caught() -> None:
    """
    Wrong kind, wrong number of labels, a counter that goes down: a defect, not a new series.
    """
    meter = RecordingMeter(SystemRuntime())
    with pytest.raises(AssertionError, match="is a histogram"):
        meter.count(metrics.STAGE_SECONDS, "settle")
    with pytest.raises(AssertionError, match="is a counter"):
        meter.observe(metrics.SETTLED, 1.0, "feed")
    with pytest.raises(AssertionError, match="never goes down"):
        meter.count(metrics.SETTLED, "feed", amount=-1)
    with pytest.raises(AssertionError, match="is told apart by"):
        meter.count(metrics.RETRIES, "bus")
    with pytest.raises(AssertionError, match="is a histogram"):
        meter.watch(metrics.STAGE_SECONDS, dict)


def test_a_silent_meter_keeps_nothing() -> None:
    """
    Parts need not know whether anybody looks.
    """
    meter = SilentMeter()
    meter.count(metrics.SETTLED, "feed")
    meter.observe(metrics.COMMIT_TO_CONFIRM, 1.0, "bus")
    meter.watch(metrics.PAUSED, lambda: {(): 1.0})
    with meter.timed(metrics.STAGE_SECONDS, "settle"):
        pass

    assert vars(meter) == {}


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_names_say_kind_and_unit(metric: Metric) -> None:
    """
    As Prometheus' conventions ask: counters end in `_total`, and only they; buckets ascend.
    """
    assert metric.name.startswith("relay_")
    assert (metric.kind is Kind.COUNTER) is metric.name.endswith("_total")
    assert (metric.kind is Kind.HISTOGRAM) is bool(metric.buckets)
    assert metric.kind is not Kind.HISTOGRAM or metric.name.endswith("_seconds")
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_the_catalogue_has_every_metric_of_the_module() -> None:
    """
    What is not in it is never shown.
    """
    assert set(CATALOGUE) == {each for each in vars(metrics).values() if isinstance(each, Metric)}
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE)


def test_somebody_feeds_every_metric() -> None:
    """
    A series that never appears, or stands still for ever, misleads whoever looks.
    """
    folder = Path(relay.__file__).parent
    text = "\n".join(path.read_text("utf-8") for path in folder.rglob("*.py") if path.name != "metrics.py")
    names = {name for name, each in vars(metrics).items() if isinstance(each, Metric)}

    assert {name for name in names if f"metrics.{name}" not in text} == set()
