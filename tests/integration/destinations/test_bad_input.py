"""What the real servers refuse: each is named, parked or waited for, and the destination goes on when it is fixed."""

import http.server
import re
import threading
from collections.abc import Iterator

import pytest

from relay.destination import Confirmed, Park, Retry, TroubleKind
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.rabbitmq import RabbitSettings, open_connection
from relay.destinations.bus.settings import BusSettings
from relay.destinations.index.elasticsearch import ElasticsearchClient
from relay.destinations.index.index import Index
from relay.testing.commits import chain, commit
from tests.contract.destinations.worlds import receive
from tests.support.delivering import deliver

pytestmark = pytest.mark.servers

MAX_MESSAGE_BYTES = 134_217_728
"""RabbitMQ 3.8 to 3.13."""


@pytest.fixture
def channel(rabbit) -> Iterator:
    connection = open_connection(rabbit.url, RabbitSettings())
    yield connection.channel()
    connection.close()


class TestRabbitMQ:
    def test_an_exchange_of_another_type(self, rabbit, channel):
        """It is named with both types, each time again; nothing is sent or parked; once it is gone all is well."""
        channel.exchange_delete(rabbit.names.exchange)
        channel.exchange_declare(rabbit.names.exchange, "direct", durable=True, auto_delete=False)
        bus = rabbit.bus()

        for _ in range(2):
            report = deliver(bus, [chain("a", 1)], 10)
            assert report.outcomes == {("a", 1): Retry("unconfirmed")}
            assert report.trouble is not None
            assert report.trouble.kind is TroubleKind.MISCONFIGURED
            for words in (rabbit.names.exchange, "'topic'", "'direct'", "delete it"):
                assert words in report.trouble.reason

        channel.exchange_delete(rabbit.names.exchange)
        assert deliver(bus, [chain("a", 1)], 10).outcomes == {("a", 1): Confirmed()}

    def test_an_exchange_deleted_in_the_middle_of_a_stream(self, rabbit, channel):
        """What was confirmed stays so; the rest is unsent, a person is told, and the next delivery recreates it."""
        consumer = rabbit.consumer()
        bus = rabbit.bus()
        deliver(bus, [chain("a", 5)], 10)
        receive(consumer, 5)
        rabbit.delete_exchange()

        report = deliver(bus, [chain(f"b{number}", 1, 1) for number in range(20)], 10)

        assert set(report.outcomes.values()) == {Retry("unconfirmed")}
        assert report.trouble is not None
        assert report.trouble.kind is TroubleKind.MISCONFIGURED
        assert "consumers must bind theirs again" in report.trouble.reason
        assert deliver(bus, [chain("c", 1)], 10).outcomes == {("c", 1): Confirmed()}
        assert rabbit.unrouted() == ["c:1"], "the consumer's binding went with the exchange, and that is visible"

    def test_a_queue_that_is_full_and_drained(self, rabbit, channel):
        """A full queue refuses; that is backpressure, never a reason to park; drained, it takes the rest in order."""
        name = f"{rabbit.names.prefix}.full"
        limit = {"x-max-length": 2, "x-overflow": "reject-publish"}
        channel.queue_declare(name, durable=True, auto_delete=False, arguments=limit)
        channel.queue_bind(name, rabbit.names.exchange, "#")
        bus = rabbit.bus()

        report = deliver(bus, [[commit("a", number) for number in range(1, 6)]], 10)

        taken = [key for key, outcome in report.outcomes.items() if outcome == Confirmed()]
        refused = [key for key, outcome in report.outcomes.items() if outcome == Retry("nack")]
        assert taken
        assert refused
        assert taken + refused == [("a", number) for number in range(1, 6)]
        assert report.trouble is None

        got = []
        for _ in range(5):
            while (message := channel.basic_get(name, no_ack=True)) is not None:
                got.append(message.properties["message_id"])
            rest = [commit("a", number) for number in range(1, 6) if report.outcomes["a", number] != Confirmed()]
            if not rest:
                break
            report.outcomes.update(deliver(bus, [rest], 10).outcomes)
        assert set(report.outcomes.values()) == {Confirmed()}
        assert got == [f"a:{number}" for number in range(1, 6)]
        channel.queue_delete(name)

    @pytest.mark.timed  # it takes a good part of the memory at which the broker holds up everybody
    def test_a_message_over_the_brokers_limit(self, rabbit):
        """The broker closes the channel and names its limit; the next attempt parks just that commit."""
        bus = Bus(rabbit.broker, rabbit.runtime, BusSettings(names=rabbit.names, message_max_bytes=2**29))
        large = commit("a", 2, data_json='"%s"' % ("x" * MAX_MESSAGE_BYTES))

        first = deliver(bus, [[large], chain("b", 1)], 60)
        assert first.outcomes["a", 2] == Retry("unconfirmed")
        assert first.trouble is None
        second = deliver(bus, [[commit("a", 1), large, commit("a", 3)], chain("b", 1)], 60)
        bus.drop()

        parked = second.outcomes["a", 2]
        assert isinstance(parked, Park)
        assert parked.error_class == "message_too_large"
        limit = re.search(r"134,217,730 bytes of data and a message may have ([\d,]+):", parked.reason)
        assert limit is not None, parked.reason
        assert limit[1] in {"134,217,728", "16,777,216"}, "of RabbitMQ 3, and from 4.0"
        assert (second.outcomes["a", 1], second.outcomes["b", 1]) == (Confirmed(), Confirmed())
        assert second.outcomes["a", 3] == Retry("behind_parked")

    def test_wrong_credentials_while_running(self, rabbit):
        """The password was changed: each attempt is refused, quickly, and said; nothing is parked."""
        broker = type(rabbit.broker)(rabbit.url.replace("guest:guest@", "guest:old@"), rabbit.names)
        bus = Bus(broker, rabbit.runtime, BusSettings(names=rabbit.names))

        for _ in range(2):
            report = deliver(bus, [chain("a", 1, 1)], 10)
            assert set(report.outcomes.values()) == {Retry("unconfirmed")}
            assert report.trouble is not None
            assert report.trouble.kind is TroubleKind.MISCONFIGURED
            assert "check user and password" in report.trouble.reason


class TestElasticsearch:
    @pytest.mark.parametrize(
        "mappings",
        [
            {"properties": {"timestamp": {"type": "boolean"}}},
            {"properties": {"data": {"type": "keyword"}}},
            {"properties": {"data": {"properties": {"quantity": {"type": "date"}}}}},
            {"properties": {"epoch": {"type": "object"}}},
            {"dynamic": "strict"},
        ],
        ids=["an envelope field", "the payload", "within the payload", "an object", "strict"],
    )
    def test_a_month_of_another_mapping(self, elastic, mappings):
        """Its events would be refused, or not be found: nothing is parked, it is said; mended, they go on."""
        month = elastic.names.index(0)
        elastic.admin.indices.create(index=month, mappings=mappings, aliases={elastic.names.alias: {}})
        index = elastic.index()
        rows = [[commit("a", timestamp_ms=0, data_json='{"quantity":"three"}')], [commit("b")]]

        report = deliver(index, rows, 10)

        assert report.outcomes == {("a", 1): Retry("hidden_index"), ("b", 1): Confirmed()}
        assert report.trouble is not None
        assert report.trouble.kind is TroubleKind.MISCONFIGURED
        assert f"{month} has another mapping than the template wants, in " in report.trouble.reason
        assert "three" not in report.trouble.reason, "payloads stay out of logs"
        elastic.admin.indices.delete(index=month)
        assert deliver(index, rows, 10).outcomes == {("a", 1): Confirmed(), ("b", 1): Confirmed()}

    @pytest.mark.parametrize("block", ["write", "read_only", "read_only_allow_delete"])
    def test_an_index_that_is_read_only(self, elastic, block):
        """As when its disk is full: it is waited for, nothing is parked, and other months go on."""
        index = elastic.index()
        deliver(index, [[commit("a", timestamp_ms=0)]], 10)
        (month,) = elastic.indices()
        elastic.admin.indices.put_settings(index=month, settings={f"index.blocks.{block}": True})

        report = deliver(index, [[commit("a", 2, timestamp_ms=0)]], 10)
        other = deliver(index, [[commit("b")]], 10)

        (outcome,) = report.outcomes.values()
        assert isinstance(outcome, Retry)
        assert report.trouble is not None
        assert report.trouble.kind is TroubleKind.OUTAGE
        assert "cluster_block_exception" in report.trouble.reason
        assert other.outcomes == {("b", 1): Confirmed()}
        elastic.admin.indices.put_settings(index=month, settings={f"index.blocks.{block}": None})
        assert deliver(index, [[commit("a", 2, timestamp_ms=0)]], 10).outcomes == {("a", 2): Confirmed()}

    def test_an_alias_name_taken_by_an_index(self, elastic):
        """New months cannot be made under the alias: a person is told, nothing is parked."""
        index = elastic.index()
        elastic.client().prepare(10)
        elastic.admin.indices.create(index=elastic.names.alias)
        try:
            report = deliver(index, [chain("a", 1)], 10)
        finally:
            elastic.admin.indices.delete(index=elastic.names.alias)

        assert report.outcomes == {("a", 1): Retry("status_400")}
        assert report.trouble is not None
        assert report.trouble.kind is TroubleKind.MISCONFIGURED
        assert "invalid_alias_name_exception" in report.trouble.reason

    @pytest.mark.parametrize(("status", "kind"), [(401, TroubleKind.MISCONFIGURED), (403, TroubleKind.MISCONFIGURED)])
    def test_wrong_credentials(self, elastic, guarded, status, kind):
        """The development server asks nobody for a password, so a guard before it refuses as a secured one does."""
        guarded.status = status
        url = f"http://relay:hunter2@127.0.0.1:{guarded.server_port}"
        index = Index(ElasticsearchClient(url), elastic.runtime)

        for _ in range(2):
            report = deliver(index, [chain("a", 1)], 10)
            assert report.outcomes == {("a", 1): Retry("unsent")}
            assert report.trouble is not None
            assert report.trouble.kind is kind
            assert f"status {status}" in report.trouble.reason
            assert "hunter2" not in report.trouble.reason
        # 403 may mean that the role lacks the right to see templates alone: it is asked once more, for the events.
        assert guarded.asked == (4 if status == 403 else 2), "and no more requests after it"
        index.close()


class Guard(http.server.ThreadingHTTPServer):
    """Refuses every request in Elasticsearch's words."""

    daemon_threads = True
    status = 401
    asked = 0


class _Refusal(http.server.BaseHTTPRequestHandler):
    server: Guard
    timeout = 10

    def do_GET(self) -> None:
        self.server.asked += 1
        body = b'{"error":{"type":"security_exception","reason":"unable to authenticate user [relay]"},"status":%d}'
        body %= self.server.status
        self.send_response(self.server.status)
        for name, value in (("X-Elastic-Product", "Elasticsearch"), ("Content-Type", "application/json")):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_GET  # noqa: N815 - the names are the server's

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def guarded() -> Iterator[Guard]:
    server = Guard(("127.0.0.1", 0), _Refusal)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)
