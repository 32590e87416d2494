"""What the index destination makes of verdicts and failures."""

import pytest

from relay.destination import Confirmed, Park, Retry, TroubleKind
from relay.destinations.index.client import IndexLostError, IndexRefusedError
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings
from relay.testing import InMemoryIndex
from relay.testing.commits import chain, commit
from tests.support.delivering import TestedPermit, deliver

MONTH = "inventory-events-2025.01"


@pytest.fixture
def client(runtime):
    made = InMemoryIndex(runtime)
    made.make(MONTH)
    return made


@pytest.fixture
def index(client, runtime):
    return Index(client, runtime)


def test_commits_are_taken(client, index):
    """Every event of every commit is found afterwards, and the template was seen to first."""
    report = deliver(index, [chain("a", 1, 2), chain("b", 1)], 1)

    assert report.outcomes == {("a", 1): Confirmed(), ("a", 3): Confirmed(), ("b", 1): Confirmed()}
    assert report.trouble is None
    assert list(client.event_ids()) == ["a:1", "a:2", "a:3", "b:1"]
    assert (client.prepared, client.requests) == (1, 1)


def test_again_is_the_same(client, index):
    """An event that is there already counts as taken and is not stored twice; the template is seen to once."""
    deliver(index, [chain("a", 1)], 1)

    assert deliver(index, [chain("a", 2)], 1).outcomes == {("a", 2): Confirmed()}
    assert client.count() == 2
    assert client.prepared == 1


def test_a_refused_document_parks_its_commit_only(client, index):
    """The others are taken, and the reason is the index's own."""
    client.refuse("a:2", 400, "document_parsing_exception", "failed to parse field [data]")

    report = deliver(index, [chain("a", 2, 1), chain("b", 1)], 1)

    parked = report.outcomes[("a", 2)]
    assert isinstance(parked, Park)
    assert parked.error_class == "document_parsing_exception"
    assert parked.reason == (
        "the index refuses event 2 (a:2): document_parsing_exception: failed to parse field [data]"
    )
    assert report.outcomes[("a", 3)] == Confirmed()
    assert report.outcomes[("b", 1)] == Confirmed()
    assert report.trouble is None


def test_an_event_that_belongs_to_no_month_is_parked(client, index):
    """A row that no append of ours wrote cannot stop the relay."""
    report = deliver(index, [[commit("a", timestamp_ms=10**20)], chain("b", 1)], 1)

    parked = report.outcomes[("a", 1)]
    assert isinstance(parked, Park)
    assert parked.error_class == "unindexable"
    assert report.outcomes[("b", 1)] == Confirmed()
    assert client.requests == 1


def test_busy_for_some(client, index):
    """An event that the index had no room for makes its commit wait; it is no trouble while others are taken."""
    client.busy_next(1)

    report = deliver(index, [chain("a", 1), chain("b", 1)], 1)

    assert report.outcomes == {("a", 1): Retry("status_429"), ("b", 1): Confirmed()}
    assert report.trouble is None


def test_busy_for_all(client, runtime):
    """An index that takes nothing of a batch is an outage, and the batches after it are not sent."""
    client.busy_next(2)
    index = Index(client, runtime, IndexSettings(batch_max_events=2))

    report = deliver(index, [chain("a", 2), chain("b", 2)], 1)

    assert report.outcomes == {("a", 2): Retry("status_429"), ("b", 2): Retry("unsent")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE
    assert client.requests == 1


def test_retry_outweighs_park(client, index):
    """A commit is parked once nothing but the events that can never be taken is missing."""
    client.refuse("a:1", 400, "document_parsing_exception")
    client.refuse("a:2", 503, "unavailable_shards_exception")
    assert deliver(index, [chain("a", 3)], 1).outcomes == {("a", 3): Retry("status_503")}

    client.accept("a:2")
    assert isinstance(deliver(index, [chain("a", 3)], 1).outcomes[("a", 3)], Park)


@pytest.mark.parametrize(
    ("status", "error_type"),
    [(403, "security_exception"), (404, "index_not_found_exception"), (400, "validation_exception")],
)
def test_what_a_person_must_mend(client, runtime, status, error_type):
    """The index side stops and says so, nothing is parked, and the template is seen to again afterwards."""
    client.refuse("a:1", status, error_type, "words of the index")
    index = Index(client, runtime, IndexSettings(batch_max_events=1))

    report = deliver(index, [chain("a", 1), chain("b", 1)], 1)

    assert report.outcomes == {("a", 1): Retry(f"status_{status}"), ("b", 1): Retry("unsent")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED
    assert "words of the index" in report.trouble.reason

    client.accept("a:1")
    assert deliver(index, [chain("a", 1)], 1).trouble is None
    assert client.prepared == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (IndexLostError("connection refused"), TroubleKind.OUTAGE),
        (IndexRefusedError(401, "missing credentials"), TroubleKind.MISCONFIGURED),
    ],
)
def test_a_refusal_of_everything(client, index, error, kind):
    """Nothing is taken, nothing parked; whether it heals by itself is told apart."""
    client.fail(error)

    report = deliver(index, [chain("a", 1)], 1)

    assert report.outcomes == {("a", 1): Retry("unsent")}
    assert report.trouble is not None
    assert report.trouble.kind is kind
    assert str(error) in report.trouble.reason


def test_a_lost_reply(client, index):
    """What was carried out without our hearing of it is taken at the next attempt."""
    client.lose_reply(IndexLostError("timed out"))

    report = deliver(index, [chain("a", 1)], 1)

    assert report.outcomes == {("a", 1): Retry("unsent")}
    assert report.trouble is not None
    assert deliver(index, [chain("a", 1)], 1).outcomes == {("a", 1): Confirmed()}
    assert client.count() == 1


def test_fewer_verdicts_than_events(client, index):
    """A reply that was cut short says nothing about anything: verdicts could be another's."""
    client.cut_reply(1)

    report = deliver(index, [chain("a", 1), chain("b", 1)], 1)

    assert report.outcomes == {("a", 1): Retry("lost_reply"), ("b", 1): Retry("lost_reply")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE


def test_verdicts_in_another_order(client, index):
    """Verdicts are read by their place, so they must name the events in the order they were sent."""
    bulk = client.bulk
    client.bulk = lambda body, timeout: list(reversed(bulk(body, timeout)))

    report = deliver(index, [chain("a", 1), chain("b", 1)], 1)

    assert set(report.outcomes.values()) == {Retry("lost_reply")}


def test_a_body_that_is_too_large_is_halved(runtime):
    """Down to single events; one that is too large by itself is parked, the others are taken."""
    client = InMemoryIndex(runtime, body_max_bytes=1000)
    large = commit("b", 1, data_json='{"note":"' + "x" * 1000 + '"}')

    report = deliver(Index(client, runtime), [chain("a", 1, 1, 1), [large], chain("c", 1)], 1)

    parked = report.outcomes[("b", 1)]
    assert isinstance(parked, Park)
    assert parked.error_class == "too_large"
    assert [key for key, outcome in report.outcomes.items() if outcome == Confirmed()] == [
        ("a", 1),
        ("a", 2),
        ("a", 3),
        ("c", 1),
    ]
    assert report.trouble is None


def test_batches_keep_both_bounds(client, runtime):
    """No request has more events or bytes than the settings say."""
    sizes = []
    bulk = client.bulk

    def watched(body, timeout):
        sizes.append((len(body), body.count(b"\n") // 2))
        return bulk(body, timeout)

    client.bulk = watched
    wide = [commit(f"w{number}", data_json='{"note":"' + "x" * 400 + '"}') for number in range(4)]
    deliver(
        Index(client, runtime, IndexSettings(batch_max_bytes=2000, batch_max_events=3)),
        [[row] for row in wide] + [chain("a", 7)],
        1,
    )

    assert client.count() == 11
    assert [count for _, count in sizes] == [2, 3, 3, 3]
    assert all(size <= 2000 for size, _ in sizes)


def test_the_budget_bounds_each_call(client, runtime):
    """A call's time-out is what is left of the budget; when nothing is left the rest is for later, without trouble."""
    bulk, timeouts = client.bulk, []

    def slow(body, timeout):
        timeouts.append(timeout)
        runtime.seconds += 0.6
        return bulk(body, timeout)

    client.bulk = slow
    index = Index(client, runtime, IndexSettings(batch_max_events=1, bulk_timeout_seconds=0.9))

    report = deliver(index, [chain("a", 1), chain("b", 1), chain("c", 1)], 1.0)

    assert timeouts == [pytest.approx(0.9), pytest.approx(0.4)]
    assert report.outcomes == {("a", 1): Confirmed(), ("b", 1): Confirmed(), ("c", 1): Retry("timeout")}
    assert report.trouble is None


def test_nothing_to_deliver_asks_nothing(client, index):
    """An empty delivery has an empty report and no request."""
    assert deliver(index, [], 1).outcomes == {}
    assert (client.prepared, client.requests) == (0, 0)


def test_a_lost_lease_keeps_the_next_request_back(client, runtime):
    """The request under way is waited for as long as the budget says; no other follows, and it is no trouble."""
    bulk, timeouts = client.bulk, []

    def watched(body, timeout):
        timeouts.append(timeout)
        return bulk(body, timeout)

    client.bulk = watched
    index = Index(client, runtime, IndexSettings(batch_max_events=1, bulk_timeout_seconds=5.0))
    permit = TestedPermit(lambda: 0.0 if timeouts else 0.5)

    report = deliver(index, [chain("a", 1), chain("b", 1)], 3.0, permit)

    assert timeouts == [pytest.approx(3.0)]
    assert report.outcomes == {("a", 1): Confirmed(), ("b", 1): Retry("timeout")}
    assert report.trouble is None
