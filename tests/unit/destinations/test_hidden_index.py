"""Events go to indices that a search sees, and count as taken there alone; one document is never the others' fate."""

import pytest
from structlog.testing import capture_logs

from relay.destination import Confirmed, Park, Retry, Trouble, TroubleKind
from relay.destinations.index.client import IndexRefusedError
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings, PromotedType
from relay.testing import InMemoryIndex
from relay.testing.commits import NEW_YEAR_2025_MS, chain, commit
from tests.support.delivering import TestedPermit, deliver

JANUARY, FEBRUARY = "inventory-events-2025.01", "inventory-events-2025.02"
FEBRUARY_MS = NEW_YEAR_2025_MS + 31 * 86_400_000
WHY = "is not under the alias inventory-events"


@pytest.fixture
def client(runtime) -> InMemoryIndex:
    return InMemoryIndex(runtime)


@pytest.fixture
def index(client, runtime) -> Index:
    return Index(client, runtime)


def is_misconfigured(trouble: Trouble | None, words: str) -> bool:
    return trouble is not None and trouble.kind is TroubleKind.MISCONFIGURED and words in trouble.reason


class TestWhatASearchDoesNotSee:
    def test_an_index_that_another_template_made(self, client, index):
        """One event shows it, and does not count as taken; when template and index are gone, all come."""
        client.hide_new(WHY)

        report = deliver(index, [chain("a", 1, 1), chain("b", 3)], 5)

        assert report.outcomes == {key: Retry("hidden_index") for key in [("a", 1), ("a", 2), ("b", 3)]}
        assert is_misconfigured(report.trouble, f"index {JANUARY} {WHY}")
        assert client.count() == 1

        client.hide_new(None)
        client.delete(JANUARY)
        report = deliver(index, [chain("a", 1, 1), chain("b", 3)], 5)
        assert set(report.outcomes.values()) == {Confirmed()}
        assert report.trouble is None
        assert client.count() == 5

    def test_an_index_that_is_there(self, client, index):
        """Nothing is sent to it; what goes to other months arrives meanwhile, and the rest once it is mended."""
        client.make(JANUARY)
        client.hide(JANUARY, WHY)
        rows = [chain("a", 1), [commit("b", timestamp_ms=FEBRUARY_MS)]]

        report = deliver(index, rows, 5)
        assert report.outcomes == {("a", 1): Retry("hidden_index"), ("b", 1): Confirmed()}
        assert is_misconfigured(report.trouble, JANUARY)
        assert list(client.event_ids()) == ["b:1"]

        client.hide(JANUARY, None)
        report = deliver(index, rows, 5)
        assert set(report.outcomes.values()) == {Confirmed()}
        assert report.trouble is None

    def test_each_index_is_looked_at_once(self, client, index):
        """A new one before and after its first event; then no more, until there was trouble."""
        deliver(index, [chain("a", 2)], 5)
        assert client.looks == 2
        deliver(index, [chain("b", 2)], 5)
        assert client.looks == 2

        client.busy_next(1)
        assert deliver(index, [chain("c", 1)], 5).trouble is not None
        client.hide(JANUARY, WHY)
        assert is_misconfigured(deliver(index, [chain("c", 1)], 5).trouble, WHY)

    def test_a_permit_that_ends_with_the_first_event(self, client, index):
        """What was sent is found out about, and taken is taken; nothing more is sent."""
        permit = TestedPermit(lambda: 0.0 if client.requests else 1.0)

        report = deliver(index, [chain("a", 1), chain("b", 1)], 5, permit)

        assert report.outcomes == {("a", 1): Confirmed(), ("b", 1): Retry("timeout")}
        assert report.trouble is None

    def test_a_role_that_may_not_look(self, client, index):
        """A person must act, and is told which privilege is missing."""
        client.look = lambda *_: (_ for _ in ()).throw(IndexRefusedError(403, "unauthorized", "security_exception"))

        report = deliver(index, [chain("a", 1)], 5)

        assert report.outcomes == {("a", 1): Retry("unsent")}
        assert is_misconfigured(report.trouble, "view_index_metadata")

    def test_a_first_event_that_is_refused(self, client, index):
        """The index is judged by another of its events."""
        client.refuse("a:1", 400, "document_parsing_exception")
        client.hide_new(WHY)

        report = deliver(index, [chain("a", 1), chain("b", 1), chain("c", 1)], 5)
        assert isinstance(report.outcomes[("a", 1)], Park)
        assert report.outcomes[("b", 1)] == report.outcomes[("c", 1)] == Retry("hidden_index")
        assert list(client.event_ids()) == ["b:1"]

        client.delete(JANUARY)
        client.hide_new(None)
        report = deliver(index, [chain("a", 1), chain("b", 1)], 5)

        assert isinstance(report.outcomes[("a", 1)], Park)
        assert report.outcomes[("b", 1)] == Confirmed()
        assert report.trouble is None


NUMBER = IndexRefusedError(400, "x_content_parse_exception: Number value length", "x_content_parse_exception")
UNKNOWN = IndexRefusedError(400, "odd_exception: words", "odd_exception")


class TestARequestThatIsRefused:
    @pytest.mark.parametrize("error", [NUMBER, UNKNOWN])
    @pytest.mark.parametrize("bad", ["a:1", "d:4", "h:5"])
    def test_one_document_is_parked_alone(self, client, index, error, bad):
        """A pipeline that cannot read it refuses all that comes with it: halves show which it is."""
        client.make(JANUARY)
        client.refuse_request(bad, error)
        rows = [chain(name, 1, 1, 1, 1, 1) for name in "abcdefgh"]

        report = deliver(index, rows, 5)

        name, _, number = bad.partition(":")
        parked = report.outcomes.pop((name, int(number)))
        assert isinstance(parked, Park)
        assert parked.error_class == error.kind
        assert error.reason in parked.reason
        assert f"event {number} ({bad})" in parked.reason
        assert set(report.outcomes.values()) == {Confirmed()}
        assert report.trouble is None
        assert client.requests <= 2 * 6 + 1

    def test_an_index_that_refuses_everything(self, client, index):
        """No event is at fault: nothing is parked, a person must act, and few requests show it."""
        client.make(JANUARY)
        for name in "abcdefgh":
            client.refuse_request(f"{name}:1", UNKNOWN)

        report = deliver(index, [chain(name, 1) for name in "abcdefgh"], 5)

        assert set(report.outcomes.values()) == {Retry("unsent")}
        assert is_misconfigured(report.trouble, "odd_exception")
        assert client.requests <= 5

    def test_another_index_says_nothing_for_it(self, client, index):
        """An index that takes nothing is not believed to be well since its neighbour is."""
        client.make(JANUARY)
        client.make(FEBRUARY)
        client.refuse_request("a:1", UNKNOWN)

        report = deliver(index, [chain("a", 1), [commit("b", timestamp_ms=FEBRUARY_MS)]], 5)

        assert report.outcomes == {("a", 1): Retry("unsent"), ("b", 1): Confirmed()}
        assert is_misconfigured(report.trouble, "odd_exception")

    @pytest.mark.parametrize(
        "error",
        [
            IndexRefusedError(400, "the server at http://x is not Elasticsearch"),
            IndexRefusedError(401, "missing credentials", "security_exception"),
        ],
    )
    def test_what_halves_do_not_help(self, client, index, error):
        """It is asked once."""
        client.make(JANUARY)
        client.refuse_request("a:1", error)

        report = deliver(index, [chain("a", 1), chain("b", 1)], 5)

        assert set(report.outcomes.values()) == {Retry("unsent")}
        assert is_misconfigured(report.trouble, error.reason)
        assert client.requests == 1


def test_values_without_a_copy_are_counted_once(client, runtime):
    """By field, when the index takes the event first; the log names the first of a field."""
    index = Index(client, runtime, IndexSettings(promoted={"n": PromotedType.LONG, "due": PromotedType.DATE}))
    rows = [
        [commit("a", data_json='{"n": 12.7, "due": 1738411200}')],
        [commit("b", data_json='{"n": 12, "due": 1738411200000}')],
        [commit("c", data_json='{"n": "x"}')],
    ]
    with capture_logs() as logs:
        assert deliver(index, rows, 5).unpromoted == {"n": 2, "due": 1}
        assert deliver(index, rows, 5).unpromoted == {}

    assert [(entry["event"], entry["field"], entry["event_id"]) for entry in logs] == [
        ("index.not_promoted", "n", "a:1"),
        ("index.not_promoted", "due", "a:1"),
    ]


def test_a_schema_version_that_the_index_does_not_hold(client, index):
    """It is parked for the index, and nobody is told that the index is set up wrongly."""
    row = commit("a")
    assert row.events is not None
    object.__setattr__(row.events[0], "schema_version", 2**31)

    report = deliver(index, [[row], chain("b", 1)], 5)

    parked = report.outcomes[("a", 1)]
    assert isinstance(parked, Park)
    assert "schema_version 2147483648" in parked.reason
    assert report.outcomes[("b", 1)] == Confirmed()
    assert report.trouble is None
