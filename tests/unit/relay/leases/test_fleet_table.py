"""The fleet's records in DynamoDB: what each write does, to whom it is refused, and what a lost reply leaves behind."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from eventstore import TableNames
from eventstore.backoff import Backoff
from eventstore.errors import (
    CorruptRowError,
    TableLayoutError,
    TableMissingError,
    ThrottledError,
    TryLaterError,
    UnreachableError,
)
from eventstore.testing import InMemoryDynamoDB
from relay.leases.errors import LeaseLostError
from relay.leases.fleet import Fleet, FleetSettings, Lease, Pause, WorkerRecord, WorkerState, lease_key
from relay.leases.fleet_table import FleetTable
from relay.leases.position import Position
from relay.leases.worker_report import ShardReport, WorkerReport

from .worlds import (
    AFTER,
    BEFORE,
    LABEL,
    SETTINGS,
    TABLE,
    Fault,
    World,
    answers_lost,
    cut_short,
    reply_lost,
    request_lost,
    throttled,
)

KEY = lease_key(LABEL, "s1")
FREE = Lease(lease_key(LABEL, "free"), None, 0, 0)
WORKER = WorkerRecord("w1", 7, "host", 42, "0.1.0", 1_000, 2_000, WorkerReport(shards=(ShardReport("s1", 1.5, 3),)))

each_fault = pytest.mark.parametrize("fault", [*BEFORE, *AFTER], ids=lambda fault: fault.__name__)


def taken(world: World, owner: str = "w1") -> Lease:
    """Return a lease that was just created and taken."""
    table = world.table()
    table.create_lease(KEY)
    lease = table.take(world.lease("s1"), owner)
    assert lease is not None
    return lease


class TestLook:
    def test_an_empty_partition_is_an_empty_fleet(self, world: World) -> None:
        """
        A table that was just made has no workers, no leases, no settings.
        """
        assert world.fleet() == Fleet()

    def test_all_records_come_back_as_they_were_written(self, world: World) -> None:
        """
        Leases, workers, the pause and the settings, in one picture.
        """
        table = world.table()
        lease = taken(world)
        table.save(KEY, "w1", 1, Position(99), finished=False)
        table.write_worker(WORKER)
        table.put_settings(SETTINGS, None)
        table.pause(Pause("ops", 5, "maintenance"))
        assert world.fleet() == Fleet(
            {KEY: replace(lease, position=Position(99), updated_at_ms=world.runtime.now_ms())},
            {"w1": WORKER},
            Pause("ops", 5, "maintenance"),
            SETTINGS,
        )

    def test_more_than_a_page_is_read(self, world: World) -> None:
        """
        A Query gives at most 1 MB at a time.
        """
        for number in range(4):
            world.table().write_worker(replace(WORKER, worker_id=f"w{number}", host="x" * 350_000))
        world.way.calls.clear()
        assert sorted(world.fleet().workers) == ["w0", "w1", "w2", "w3"]
        assert world.way.calls.count("Query") > 1

    @pytest.mark.parametrize("fault", [throttled, request_lost, reply_lost, cut_short], ids=lambda each: each.__name__)
    def test_a_look_that_fails_once_is_made_again(self, world: World, fault: Fault) -> None:
        """
        Nothing is concluded from a page that did not arrive, or arrived without its rows.
        """
        taken(world)
        world.way.faults["Query"] = [fault]
        assert list(world.fleet().leases) == [KEY]

    @pytest.mark.parametrize(
        ("fault", "error"),
        [(throttled, ThrottledError), (request_lost, UnreachableError), (cut_short, UnreachableError)],
    )
    def test_a_look_is_bounded(self, world: World, fault: Fault, error: type[TryLaterError]) -> None:
        """
        After its attempts it is an error that says so, never an empty fleet.
        """
        world.way.always = fault
        with pytest.raises(error):
            world.fleet()
        world.way.always = None

    def test_records_of_a_newer_kind_are_passed_over(self, world: World) -> None:
        """
        An older worker works on beside a newer one.
        """
        world.put_row({"recordType": {"S": "fleet"}, "recordKey": {"S": "novelty#1"}, "x": {"S": "y"}})
        world.table().write_worker(WORKER)
        world.put_row({**world.row("worker#w1"), "state": {"S": "dreaming"}, "report": {"S": "{"}})
        assert world.fleet() == Fleet(workers={"w1": replace(WORKER, report=None)})

    @pytest.mark.parametrize(
        ("attribute", "value", "named"),
        [
            ("feedPosition", {"S": "soon"}, "delete the row"),
            ("term", {"S": "1"}, "'term'"),
            ("counter", {"N": "1.5"}, "'counter'"),
        ],
    )
    def test_a_lease_that_cannot_be_read_is_named(
        self, world: World, attribute: str, value: dict[str, str], named: str
    ) -> None:
        """
        It hides no other record, and nobody carries it until a person has looked.
        """
        taken(world)
        world.offer("s2")
        world.put_row({**world.row(KEY), attribute: value})
        fleet = world.fleet()
        assert list(fleet.leases) == [lease_key(LABEL, "s2")]
        (fault,) = fleet.unreadable
        assert named in fault
        assert KEY in fault

    def test_a_pause_that_cannot_be_read_is_a_pause(self, world: World) -> None:
        """
        Somebody wanted delivery stopped.
        """
        world.put_row({"recordType": {"S": "fleet"}, "recordKey": {"S": "pause"}})
        fleet = world.fleet()
        assert fleet.pause is not None
        assert len(fleet.unreadable) == 1

    def test_settings_that_cannot_be_read_are_an_error(self, world: World) -> None:
        """
        Nobody may guess what all others agree on.
        """
        world.put_row({"recordType": {"S": "fleet"}, "recordKey": {"S": "settings"}, "leaseMs": {"N": "10000"}})
        with pytest.raises(CorruptRowError, match="stop all workers, then delete the row"):
            world.fleet()

    def test_a_table_of_something_else_is_named(self) -> None:
        """
        Such as another program's lease table under the same name.
        """
        client = InMemoryDynamoDB().client()
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        table = FleetTable(client, TableNames(), World().runtime, Backoff(1))  # type: ignore[arg-type]
        with pytest.raises(TableLayoutError, match="inventory_relay"):
            table.look()

    def test_an_absent_table_is_named(self) -> None:
        """
        It is made by `eventstore init`.
        """
        table = FleetTable(InMemoryDynamoDB().client(), TableNames(), World().runtime, Backoff(1))  # type: ignore[arg-type]
        with pytest.raises(TableMissingError):
            table.look()


class TestCreate:
    def test_a_lease_is_created_once(self, world: World) -> None:
        """
        Whoever comes later changes nothing of it.
        """
        assert world.table().create_lease(KEY)
        before = taken(world)
        assert not world.table().create_lease(KEY)
        assert world.lease("s1") == before

    @each_fault
    def test_a_lost_call_is_made_again(self, world: World, fault: Fault) -> None:
        """
        However it was lost, the lease is there.
        """
        world.way.faults["BatchExecuteStatement"] = [fault]
        world.table().create_lease(KEY)
        assert world.owners() == {"s1": None}


class TestRenew:
    def test_the_counter_moves_and_the_row_comes_back(self, world: World) -> None:
        """
        With who asks for it, so that the owner need not look.
        """
        lease = taken(world)
        world.table().ask_for(lease, "w2")
        assert world.table().renew(KEY, "w1", 1) == replace(lease, counter=2, hand_over_to="w2")

    @pytest.mark.parametrize(("owner", "term"), [("w2", 1), ("w1", 2), ("w1", 0)])
    def test_only_the_owner_of_the_term_may_renew(self, world: World, owner: str, term: int) -> None:
        """
        Another worker, or a former self.
        """
        lease = taken(world)
        with pytest.raises(LeaseLostError) as caught:
            world.table().renew(KEY, owner, term)
        assert (caught.value.key, caught.value.worker_id, caught.value.term) == (KEY, owner, term)
        assert world.lease("s1") == lease

    def test_a_lease_that_is_gone_does_not_come_back(self, world: World) -> None:
        """
        An update would create it, were it not for the condition.
        """
        with pytest.raises(LeaseLostError):
            world.table().renew(KEY, "w1", 1)
        assert world.owners() == {}

    @pytest.mark.parametrize("fault", [*BEFORE, *AFTER, cut_short], ids=lambda each: each.__name__)
    def test_a_lost_renewal_is_made_again(self, world: World, fault: Fault) -> None:
        """
        A counter that moves twice is as good as once; a reply without the row is none.
        """
        taken(world)
        world.way.faults["BatchExecuteStatement"] = [fault]
        assert world.table().renew(KEY, "w1", 1).counter == world.lease("s1").counter >= 2

    def test_a_renewal_is_bounded(self, world: World) -> None:
        """
        Other leases wait for their turn.
        """
        taken(world)
        world.way.calls.clear()
        world.way.always = throttled
        with pytest.raises(ThrottledError):
            world.table(attempts_max=3).renew(KEY, "w1", 1)
        assert world.way.calls == ["BatchExecuteStatement"] * 3


class TestTake:
    def test_a_take_raises_term_and_counter(self, world: World) -> None:
        """
        Whatever the former owner still writes is refused, and the others see a heartbeat.
        """
        lease = taken(world)
        world.table().ask_for(lease, "w2")
        again = world.table().take(replace(lease, hand_over_to="w2"), "w3")
        assert again == world.lease("s1")
        assert again == replace(lease, owner="w3", term=2, counter=2, hand_over_to=None)

    def test_a_checkpoint_changes_hands_with_its_lease(self, world: World) -> None:
        """
        They are one row, so the next owner cannot read another one.
        """
        lease = taken(world)
        world.table().save(KEY, "w1", 1, Position(5), finished=False)
        again = world.table().take(lease, "w2")
        assert again is not None
        assert again.position == Position(5)

    def test_of_two_that_take_one_gets_it(self, world: World) -> None:
        """
        Both saw the same.
        """
        world.offer("s1")
        seen = world.lease("s1")
        first, second = world.table().take(seen, "w1"), world.table().take(seen, "w2")
        assert first is not None
        assert second is None
        assert world.owners() == {"s1": "w1"}

    def test_a_sign_of_life_prevents_the_take(self, world: World) -> None:
        """
        The owner was slow, not dead.
        """
        seen = taken(world)
        world.table().renew(KEY, "w1", 1)
        assert world.table().take(seen, "w2") is None
        assert world.owners() == {"s1": "w1"}

    def test_a_finished_shard_is_not_taken(self, world: World) -> None:
        """
        Also not by who saw it before it was finished.
        """
        taken(world)
        world.table().save(KEY, "w1", 1, Position(5), finished=True)
        assert world.table().take(world.lease("s1"), "w2") is None

    def test_a_lease_that_is_gone_is_not_taken(self, world: World) -> None:
        """
        Nothing is created by a take.
        """
        world.offer("s1")
        seen = world.lease("s1")
        world.table().remove_lease(seen)
        assert world.table().take(seen, "w1") is None
        assert world.owners() == {}

    @pytest.mark.parametrize("fault", [*BEFORE, *AFTER, cut_short], ids=lambda each: each.__name__)
    def test_a_lost_take_is_known_as_ours(self, world: World, fault: Fault) -> None:
        """
        The second attempt finds our own name under the next term, and a heartbeat follows: others count from the take.
        """
        world.offer("s1")
        world.way.faults["BatchExecuteStatement"] = [fault]
        lease = world.table().take(world.lease("s1"), "w1")
        assert lease == world.lease("s1")
        assert lease is not None
        assert (lease.owner, lease.term, lease.counter) == ("w1", 1, 1 if fault in BEFORE else 2)

    def test_a_lease_that_was_handed_to_us_unseen_is_renewed(self, world: World) -> None:
        """
        It looks like our own take, but others have counted since the hand-over: only a heartbeat makes it certain.
        """
        lease = taken(world)
        world.table().ask_for(lease, "w2")
        world.table().release(KEY, "w1", lease.term, to="w2")
        handed = world.lease("s1")

        again = world.table().take(lease, "w2")

        assert again == world.lease("s1") == replace(handed, counter=handed.counter + 1)

    def test_a_lease_that_was_handed_on_meanwhile_is_not_taken(self, world: World) -> None:
        """
        It was ours for a moment, unseen, and is another's by now.
        """
        lease = taken(world)
        world.table().ask_for(lease, "w2")
        world.table().release(KEY, "w1", lease.term, to="w2")
        world.table().ask_for(world.lease("s1"), "w3")
        world.table().release(KEY, "w2", lease.term + 1, to="w3")

        assert world.table().take(lease, "w2") is None


class TestSave:
    def test_a_former_owner_writes_nothing(self, world: World) -> None:
        """
        Neither a position nor an end: the shard is another's.
        """
        lease = taken(world)
        world.table().take(lease, "w2")
        for finished in (False, True):
            with pytest.raises(LeaseLostError):
                world.table().save(KEY, "w1", 1, Position(5), finished=finished)
        assert world.lease("s1").position is None
        assert not world.lease("s1").finished

    def test_an_owner_under_a_former_term_writes_nothing(self, world: World) -> None:
        """
        It lost the lease and got it back; what is still on its way from before does not count.
        """
        lease = taken(world)
        world.table().take(lease, "w1")
        with pytest.raises(LeaseLostError):
            world.table().save(KEY, "w1", 1, Position(5), finished=False)

    def test_a_checkpoint_is_no_sign_of_life(self, world: World) -> None:
        """
        The counter is the keeper's, who knows until when the lease is believed in.
        """
        lease = taken(world)
        world.table().save(KEY, "w1", 1, Position(5), finished=False)
        assert world.lease("s1").counter == lease.counter

    def test_no_position_leaves_the_one_that_is_there(self, world: World) -> None:
        """
        A shard without records can be finished too.
        """
        taken(world)
        world.table().save(KEY, "w1", 1, Position(5), finished=False)
        world.table().save(KEY, "w1", 1, None, finished=True)
        assert world.lease("s1").position == Position(5)

    @pytest.mark.parametrize("finished", [False, True])
    @pytest.mark.parametrize("fault", [*BEFORE, *AFTER, cut_short], ids=lambda each: each.__name__)
    def test_a_lost_checkpoint_is_written_again(self, world: World, fault: Fault, finished: bool) -> None:  # noqa: FBT001
        """
        A finished shard is free afterwards, and a second attempt that finds it so knows it as its own.
        """
        taken(world)
        world.way.faults["UpdateItem"] = [fault]
        world.table().save(KEY, "w1", 1, Position(5), finished=finished)
        lease = world.lease("s1")
        assert (lease.position, lease.finished) == (Position(5), finished)
        assert lease.owner == (None if finished else "w1")


class TestRelease:
    def test_a_released_lease_is_free(self, world: World) -> None:
        """
        And whoever saw it owned sees that it changed.
        """
        lease = taken(world)
        world.table().ask_for(lease, "w2")
        world.table().release(KEY, "w1", 1)
        assert world.lease("s1") == replace(lease, owner=None, counter=2)

    def test_a_lease_is_given_to_another(self, world: World) -> None:
        """
        Under the next term, so that nothing that its giver wrote can still count.
        """
        lease = taken(world)
        world.table().ask_for(lease, "w2")
        world.table().release(KEY, "w1", 1, to="w2")
        assert world.lease("s1") == replace(lease, owner="w2", term=2, counter=2)

    def test_a_former_owner_releases_nothing(self, world: World) -> None:
        """
        The lease is another's.
        """
        lease = taken(world)
        now = world.table().take(lease, "w2")
        assert not world.table().release(KEY, "w1", 1)
        assert not world.table().release(KEY, "w1", 1, to="w3")
        assert world.lease("s1") == now

    @pytest.mark.parametrize("to", [None, "w2"])
    @each_fault
    def test_a_lost_release_is_made_again(self, world: World, fault: Fault, to: str | None) -> None:
        """
        Once it happened, the second attempt changes nothing, and knows that it happened.
        """
        world.table().ask_for(taken(world), "w2")
        world.way.faults["UpdateItem"] = [fault]
        assert world.table().release(KEY, "w1", 1, to=to)
        assert world.lease("s1").owner == to

    @each_fault
    def test_who_asks_no_more_is_given_nothing(self, world: World, fault: Fault) -> None:
        """
        It has left meanwhile; a lease in its name would lie until it runs out.
        """
        lease = taken(world)
        world.table().ask_for(lease, "w2")
        world.way.faults["UpdateItem"] = [fault]
        assert world.table().ask_no_more(KEY, "w2") is None
        assert world.table().release(KEY, "w1", 1, to="w2")
        assert world.lease("s1") == replace(lease, owner=None, counter=2)

    def test_who_asks_no_more_hears_of_what_it_was_given_before(self, world: World) -> None:
        """
        So it can give it back.
        """
        lease = taken(world)
        world.table().ask_for(lease, "w2")
        world.table().release(KEY, "w1", 1, to="w2")
        assert world.table().ask_no_more(KEY, "w2") == replace(lease, owner="w2", term=2, counter=2)

    def test_what_another_asks_for_stays_asked_for(self, world: World) -> None:
        """
        A worker takes back its own request only.
        """
        world.table().ask_for(taken(world), "w3")
        assert world.table().ask_no_more(KEY, "w2") is None
        assert world.lease("s1").hand_over_to == "w3"
        assert world.table().ask_no_more("lease#gone", "w2") is None


class TestAsk:
    def test_the_first_that_asks_is_heard(self, world: World) -> None:
        """
        Who saw nobody ask is refused when somebody has.
        """
        lease = taken(world)
        assert world.table().ask_for(lease, "w2")
        assert not world.table().ask_for(lease, "w3")
        assert world.lease("s1").hand_over_to == "w2"

    def test_a_request_of_the_dead_is_replaced(self, world: World) -> None:
        """
        By who saw it and knows better.
        """
        lease = taken(world)
        world.table().ask_for(lease, "dead")
        assert world.table().ask_for(world.lease("s1"), "w3")
        assert world.lease("s1").hand_over_to == "w3"

    def test_who_asks_late_is_refused(self, world: World) -> None:
        """
        The fleet is no longer what it was when it decided.
        """
        lease = taken(world)
        world.table().renew(KEY, "w1", 1)
        assert not world.table().ask_for(lease, "w2")

    @each_fault
    def test_a_lost_request_is_made_again(self, world: World, fault: Fault) -> None:
        """
        And known as our own when it had arrived.
        """
        lease = taken(world)
        world.way.faults["UpdateItem"] = [fault]
        assert world.table().ask_for(lease, "w2")


class TestRemove:
    def test_what_somebody_holds_stays(self, world: World) -> None:
        """
        Who saw it free comes too late.
        """
        world.offer("s1")
        free = world.lease("s1")
        taken(world)
        assert not world.table().remove_lease(free)
        assert world.owners() == {"s1": "w1"}
        assert not world.table().remove_lease(world.lease("s1")), "also for who knows that it is held"
        assert world.owners() == {"s1": "w1"}

    @each_fault
    def test_what_is_gone_is_gone(self, world: World, fault: Fault) -> None:
        """
        Also when a reply was lost.
        """
        world.offer("s1")
        world.way.faults["BatchExecuteStatement"] = [fault]
        assert world.table().remove_lease(world.lease("s1"))
        assert world.owners() == {}

    def test_a_worker_that_moves_stays(self, world: World) -> None:
        """
        It was believed dead, and is not.
        """
        world.table().write_worker(WORKER)
        world.table().remove_worker("w1", counter=6)
        assert list(world.fleet().workers) == ["w1"]
        world.table().remove_worker("w1", counter=7)
        assert list(world.fleet().workers) == []
        world.table().remove_worker("w1")


class TestSettingsAndPause:
    OTHER = FleetSettings(frozenset({"bus"}), "other", 20_000, 2)

    def test_of_two_that_put_settings_in_force_one_wins(self, world: World) -> None:
        """
        The other learns that they are not its own.
        """
        assert world.table().put_settings(SETTINGS, None)
        assert not world.table().put_settings(self.OTHER, None)
        assert world.fleet().settings == SETTINGS
        assert world.table().put_settings(self.OTHER, SETTINGS)
        assert not world.table().put_settings(replace(SETTINGS, lease_ms=1), SETTINGS)
        assert world.fleet().settings == self.OTHER

    @pytest.mark.parametrize("before", [None, OTHER])
    @each_fault
    def test_settings_whose_reply_was_lost_are_ours(
        self, world: World, fault: Fault, before: FleetSettings | None
    ) -> None:
        """
        The second attempt finds them in force.
        """
        if before is not None:
            world.table().put_settings(before, None)
        world.way.faults["PutItem"] = [fault]
        assert world.table().put_settings(SETTINGS, before)

    @each_fault
    def test_a_pause_stays_as_its_first_author_wrote_it(self, world: World, fault: Fault) -> None:
        """
        A second one learns whose pause there is.
        """
        first = Pause("ops", 5, "maintenance")
        world.way.faults["PutItem"] = [fault]
        assert world.table().pause(first) is None
        assert world.table().pause(Pause("dev", 6, "why not")) == first
        assert world.fleet().pause == first

    @each_fault
    def test_a_pause_ends(self, world: World, fault: Fault) -> None:
        """
        Also one that is not there.
        """
        world.table().pause(Pause("ops", 5, "maintenance"))
        world.way.faults["DeleteItem"] = [fault]
        world.table().resume()
        world.table().resume()
        assert world.fleet().pause is None


class TestMany:
    SHARDS = tuple(f"s{number:02}" for number in range(60))
    KEYS = tuple(lease_key(LABEL, shard) for shard in SHARDS)

    def test_many_are_created_taken_renewed_and_removed_by_few_calls(self, world: World) -> None:
        """
        Up to 25 in a call, each with an answer of its own.
        """
        table = world.table()
        world.way.calls.clear()
        assert set(table.create_leases(self.KEYS).values()) == {True}
        assert world.way.calls == ["BatchExecuteStatement"] * 3
        assert set(table.create_leases(self.KEYS).values()) == {False}
        seen = [world.fleet().leases[key] for key in self.KEYS[:25]]
        world.way.calls.clear()
        assert table.take_all(seen, "w1") == {lease.key: world.fleet().leases[lease.key] for lease in seen}
        renewed = table.renew_all({lease.key: 1 for lease in seen}, "w1")
        assert {each.counter for each in renewed.values() if isinstance(each, Lease)} == {2}
        assert world.way.calls.count("BatchExecuteStatement") == 2
        gone = table.remove_leases(list(world.fleet().leases.values()))
        assert sum(gone.values()) == 35
        assert sorted(world.fleet().leases) == sorted(lease.key for lease in seen)

    def test_one_that_is_refused_concerns_no_other(self, world: World) -> None:
        """
        Somebody was quicker with one, another is gone, and one cannot be read.
        """
        world.offer("s1", "s2", "s3", "s4")
        seen = {lease.shard_id: lease for lease in world.fleet().leases.values()}
        world.table().take(seen["s1"], "w2")
        world.table().remove_lease(seen["s2"])
        world.put_row({**world.row(seen["s3"].key), "feedPosition": {"S": "soon"}})
        answers = world.table().take_all(list(seen.values()), "w1")
        assert answers[seen["s1"].key] is None
        assert answers[seen["s2"].key] is None
        assert isinstance(answers[seen["s3"].key], CorruptRowError)
        assert answers[seen["s4"].key] == world.lease("s4")
        renewed = world.table().renew_all({lease.key: 1 for lease in seen.values()}, "w1")
        assert [type(renewed[seen[shard].key]) for shard in ("s1", "s2", "s3", "s4")] == [
            LeaseLostError,
            LeaseLostError,
            CorruptRowError,
            Lease,
        ]

    def test_what_a_call_leaves_open_is_asked_again_alone(self, world: World) -> None:
        """
        A throttled row and a lost answer among many: the others are not written twice, and a heartbeat follows for it.
        """
        world.offer("s1", "s2", "s3")
        seen = sorted(world.fleet().leases.values(), key=lambda lease: lease.key)
        world.way.faults["BatchExecuteStatement"] = [answers_lost(0), answers_lost(0)]
        taken = world.table(attempts_max=3).take_all(seen, "w1")
        assert [lease.counter for lease in taken.values() if isinstance(lease, Lease)] == [1, 1, 2]
        world.way.faults["BatchExecuteStatement"] = [answers_lost(1)] * 2
        renewed = world.table().renew_all({lease.key: 1 for lease in seen}, "w1")
        assert {key: type(each) for key, each in renewed.items()} == dict(
            zip((lease.key for lease in seen), (Lease, UnreachableError, Lease), strict=True)
        )


@pytest.mark.parametrize(
    "write",
    [
        lambda table, seen: table.create_lease("lease#x#y"),
        lambda table, seen: table.renew(KEY, "w1", 1),
        lambda table, seen: table.take(seen, "w2"),
        lambda table, seen: table.save(KEY, "w1", 1, Position(1), finished=False),
        lambda table, seen: table.release(KEY, "w1", 1),
        lambda table, seen: table.ask_for(seen, "w2"),
        lambda table, seen: table.remove_lease(FREE),
        lambda table, seen: table.write_worker(WORKER),
        lambda table, seen: table.remove_worker("w1"),
        lambda table, seen: table.put_settings(SETTINGS, None),
        lambda table, seen: table.pause(Pause("ops", 5, "maintenance")),
        lambda table, seen: table.resume(),
    ],
)
@pytest.mark.parametrize(("fault", "error"), [(throttled, ThrottledError), (reply_lost, UnreachableError)])
def test_every_write_is_bounded(
    world: World, write: Callable[[FleetTable, Lease], object], fault: Fault, error: type[TryLaterError]
) -> None:
    """
    After its attempts it is an error that may be tried again later; what the second attempt finds decided is none.
    """
    seen = taken(world)
    world.table().create_lease(FREE.key)
    world.way.calls.clear()
    world.way.always = fault
    table = world.table(attempts_max=2)
    try:
        write(table, seen)
    except error:
        assert len(world.way.calls) in {2, 4}, "a take that looks like ours is followed by a heartbeat"
    else:
        assert fault is reply_lost, "a refused write is no success"
        assert len(world.way.calls) == 2, "the second attempt saw the effect of the first"
    world.way.always = None


def test_a_state_says_what_a_worker_is_about(world: World) -> None:
    """
    It is written with the record.
    """
    world.table().write_worker(replace(WORKER, state=WorkerState.LEAVING))
    assert world.fleet().workers["w1"].state is WorkerState.LEAVING
