"""Workers that keep leases: they find dead neighbours, hand over, come back from pauses, and never believe too long."""

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from relay.leases.errors import FleetSettingsError, LeaseFencedError, LeaseLostError
from relay.leases.fleet import SWEEP_KEY, FleetSettings, Pause, WorkerState, lease_key
from relay.leases.held import HeldLease
from relay.leases.position import Position
from relay.leases.worker_report import ShardReport, WorkerReport

from .worlds import (
    AFTER,
    BEFORE,
    LABEL,
    SETTINGS,
    Fault,
    Member,
    World,
    cut_short,
    reply_lost,
    request_lost,
    throttled,
)

DURATION = 10.0
OLD_BUS = replace(SETTINGS, bus=frozenset({"a:5672/v", "b:5672/v"}))
FOUR = ("s1", "s2", "s3", "s4")


def names(log_events: list[Any]) -> list[str]:
    """Return the names of what was logged, in order."""
    return [str(event["event"]) for event in log_events]


def is_settled(world: World, *loads: int) -> bool:
    """Tell whether the workers that are not away hold so many shards, and each what the table says."""
    held = [member.shards() for member in world.members if not member.is_away]
    return sorted(len(each) for each in held) == sorted(loads)


class TestAlone:
    def test_a_worker_takes_all_that_is_there(self, world: World) -> None:
        """
        Every shard, and the sweep; it believes in them from the moment it sent the take.
        """
        world.offer(*FOUR)
        w1 = world.join("w1")
        w1.keeper.step()
        assert w1.shards() == list(FOUR)
        assert SWEEP_KEY in w1.keeper.held()
        assert w1.lease("s1").left_seconds() == pytest.approx(8.0)
        assert w1.keeper.counts().taken == 5

    def test_leases_live_as_long_as_they_are_renewed(self, world: World) -> None:
        """
        For many times their duration, under one term.
        """
        world.offer("s1")
        w1 = world.join("w1")
        lowest: list[float] = []
        w1.keeper.step()
        world.run(100.0, lambda: lowest.append(w1.lease("s1").left_seconds()))
        assert w1.lease("s1").term == 1
        assert min(lowest) >= 8.0 - DURATION / 3 - 0.25

    def test_what_is_offered_is_taken_soon(self, world: World) -> None:
        """
        At the next tick, not at the next look.
        """
        w1 = world.join("w1")
        w1.keeper.step()
        w1.keeper.offer([lease_key(LABEL, "s1")])
        world.run(0.25)
        assert w1.shards() == ["s1"]

    def test_no_more_than_it_can_carry(self, world: World) -> None:
        """
        The rest waits for somebody else.
        """
        world.offer(*FOUR)
        w1 = world.join("w1", leases_max=3)
        world.run(5.0)
        assert w1.shards() == ["s1", "s2", "s3"]

    def test_the_look_goes_on_while_dynamodb_does_not_answer(self, world: World, log_events: list[Any]) -> None:
        """
        Leases are believed in for their time and not longer; afterwards they are the same leases again.
        """
        world.offer("s1")
        w1 = world.join("w1")
        w1.keeper.step()
        world.way.always = throttled
        world.run(7.5)
        assert w1.shards() == ["s1"]
        world.run(1.0)
        assert w1.shards() == []
        assert w1.lease("s1").is_fenced()
        world.way.always = None
        world.run(1.0)
        assert w1.shards() == ["s1"]
        assert w1.lease("s1").term == 1
        assert {"lease.renew_failed", "lease.fenced", "fleet.read_failed"} <= set(names(log_events))
        assert names(log_events).count("lease.fenced") == 2, "once for the shard, once for the sweep"

    def test_one_lease_that_is_not_renewed_costs_no_other(self, world: World) -> None:
        """
        Each gets its turn, though DynamoDB keeps refusing one.
        """
        world.offer("s1", "s2")
        w1 = world.join("w1")
        w1.keeper.step()
        stubborn = {"S": lease_key(LABEL, "s1")}
        carry = world.way.carry

        def refuse_one(operation: str, request: Any, effect: Any) -> Any:
            if operation != "BatchExecuteStatement":
                return carry(operation, request, effect)
            places = [place for place, one in enumerate(request["Statements"]) if stubborn in one["Parameters"]]
            reply = effect()
            for place in places:
                reply["Responses"][place] = {"Error": {"Code": "ThrottlingError", "Message": "slow down"}}
            return reply

        world.way.carry = refuse_one  # type: ignore[method-assign]
        world.run(9.0)
        assert w1.shards() == ["s2"]


class TestNeighbours:
    def test_two_share(self, world: World) -> None:
        """
        They start at the same time, and neither takes all.
        """
        w1, w2 = world.join("w1"), world.join("w2")
        world.run(1.0)
        world.offer(*FOUR)
        world.run(2.0)
        assert w1.shards() == ["s1", "s2"]
        assert w2.shards() == ["s3", "s4"]

    def test_a_newcomer_gets_its_share(self, world: World, log_events: list[Any]) -> None:
        """
        One shard at a time, each let go by its owner; nothing is lost or taken away.
        """
        world.offer(*FOUR)
        w1 = world.join("w1")
        w1.keeper.step()
        w2 = world.join("w2")
        pending: list[int] = []

        def count() -> None:
            pending.append(sum(1 for each in world.fleet().leases.values() if each.hand_over_to))
            assert set(w1.shards()).isdisjoint(w2.shards())

        world.run(15.0, count)
        assert len(w1.shards()) == len(w2.shards()) == 2
        assert max(pending) <= 1
        assert "lease.lost" not in names(log_events)
        assert names(log_events).count("lease.requested") == 2

    def test_it_stays_even(self, world: World, log_events: list[Any]) -> None:
        """
        Five shards for two workers: three and two, and then no shard moves for ten minutes.
        """
        world.offer(*FOUR, "s5")
        world.join("w1").keeper.step()
        world.join("w2")
        world.run(30.0)
        before, events = world.owners(), len(log_events)
        world.run(600.0)
        assert world.owners() == before
        assert len(log_events) == events

    @pytest.mark.parametrize("delay", [0.0, 0.25, 0.5, 0.75, 1.0, 2.0, 3.0])
    def test_a_dead_worker_is_replaced_within_its_duration_and_two_seconds(self, world: World, delay: float) -> None:
        """
        Wherever death finds it between two renewals; what it had is shared.
        """
        world.offer(*FOUR, "s5", "s6")
        dead, w2, w3 = world.join("w1"), world.join("w2"), world.join("w3")
        world.run(20.0 + delay)
        assert is_settled(world, 2, 2, 2)
        dead.is_away = True
        assert world.seconds_until(lambda: is_settled(world, 3, 3), within=60.0) <= DURATION + 2.0
        assert sorted([*w2.shards(), *w3.shards()]) == [*FOUR, "s5", "s6"]

    @pytest.mark.parametrize("operation", ["BatchExecuteStatement", "PutItem"])
    def test_a_worker_that_cannot_take_holds_nobody_up(self, world: World, operation: str) -> None:
        """
        It is counted on, does not come, and the other takes more than its share.
        """
        w1 = world.join("w1")
        world.join("w2", leases_max=0)
        world.run(5.0)
        world.offer(*FOUR)
        assert world.seconds_until(lambda: w1.shards() == list(FOUR), within=10.0) <= 2.0

    def test_a_stopped_worker_stops_believing_before_another_begins(self, world: World, log_events: list[Any]) -> None:
        """
        SIGSTOP for 30 s: its first look at the clock afterwards tells it, before anything else does.
        """
        world.offer("s1")
        w1, w2 = world.join("w1"), world.join("w2")
        world.run(3.0)
        w1, w2 = (w1, w2) if w1.shards() else (w2, w1)
        held = w1.lease("s1")
        w1.is_away = True
        overlaps: list[float] = []
        world.run(30.0, lambda: overlaps.append(held.left_seconds()) if w2.shards() else None)
        assert w2.shards() == ["s1"]
        assert set(overlaps) == {0.0}
        assert held.is_fenced()
        assert not held.is_over()
        with pytest.raises(LeaseFencedError):
            held.save(Position(1))
        w1.is_away = False
        world.run(1.0)
        assert held.is_over()
        with pytest.raises(LeaseLostError):
            held.save(Position(1))
        assert w2.lease("s1").term == 2
        assert w1.keeper.counts().lost >= 1
        assert "lease.lost" in names(log_events)

    def test_a_checkpoint_of_a_former_owner_is_refused(self, world: World) -> None:
        """
        Even when its clock tells it that all is well: the row knows better.
        """
        world.offer("s1")
        w1 = world.join("w1")
        w1.keeper.step()
        held = w1.lease("s1")
        assert world.table().take(world.lease("s1"), "w2") is not None
        with pytest.raises(LeaseLostError):
            held.save(Position(7))
        assert held.is_fenced()
        assert w1.shards() == []
        assert world.lease("s1").position is None

    def test_an_outage_for_all_takes_from_nobody(self, world: World, log_events: list[Any]) -> None:
        """
        Nobody could send a heartbeat, so silence says nothing: after 30 s without DynamoDB each keeps its own.
        """
        world.offer(*FOUR)
        world.join("w1")
        world.join("w2")
        world.run(5.0)
        before = world.owners()
        assert is_settled(world, 2, 2)
        world.way.always = request_lost
        world.run(30.0)
        assert is_settled(world, 0, 0)
        world.way.always = None
        world.run(2.0)
        assert world.owners() == before
        assert is_settled(world, 2, 2)
        assert "lease.lost" not in names(log_events)

    def test_who_dies_during_an_outage_is_replaced_after_it(self, world: World) -> None:
        """
        The duration counts from when it could have sent a heartbeat again.
        """
        world.offer(*FOUR)
        dead, w2 = world.join("w1"), world.join("w2")
        world.run(5.0)
        world.way.always = request_lost
        dead.is_away = True
        world.run(30.0)
        world.way.always = None
        assert world.seconds_until(lambda: w2.shards() == list(FOUR), within=60.0) <= DURATION + 2.0

    def test_the_long_dead_are_forgotten(self, world: World) -> None:
        """
        Their records stay for a minute, for a person to see, and not for ever.
        """
        dead, _ = world.join("w1"), world.join("w2")
        dead.is_away = True
        world.run(55.0)
        assert sorted(world.fleet().workers) == ["w1", "w2"]
        world.run(10.0)
        assert sorted(world.fleet().workers) == ["w2"]

    def test_a_worker_says_what_it_has_to_say(self, world: World) -> None:
        """
        Its report is in its record, at every renewal, and others use it.
        """
        world.reports["w2"] = WorkerReport(shards=(ShardReport("s9", 7.5, 0),))
        w1, w2 = world.join("w1"), world.join("w2")
        world.run(5.0)
        assert w1.keeper.feed_lag_seconds() == 7.5
        w2.is_away = True
        world.run(11.0)
        assert w1.keeper.feed_lag_seconds() == 0.0
        assert w1.keeper.live_workers() == {"w1"}


class TestLostReplies:
    @pytest.mark.parametrize("fault", [*AFTER, cut_short], ids=lambda each: each.__name__)
    def test_a_take_nobody_heard_of_is_taken_anew(self, world: World, fault: Fault) -> None:
        """
        All attempts were lost: the next look finds our name, and another term makes sure that nothing old counts.
        """
        world.offer("s1")
        w1 = world.join("w1")
        world.way.faults["BatchExecuteStatement"] = [request_lost, request_lost]  # the sweep's and the shard's, twice
        w1.keeper.step()
        world.run(1.0)
        assert w1.shards() == ["s1"]
        world.offer("s2")
        world.way.faults["BatchExecuteStatement"] = [fault, request_lost]
        world.run(1.0)
        world.run(2.0)
        assert w1.shards() == ["s1", "s2"]
        assert world.lease("s2").term == 2

    def test_a_hand_over_nobody_heard_of_arrives(self, world: World) -> None:
        """
        The giver believes that it failed; the table says whose it is.
        """
        world.offer("s1")
        w1, w2 = world.join("w1"), world.join("w2")
        world.run(2.0)
        giver, getter = (w1, w2) if w1.shards() else (w2, w1)
        world.table().ask_for(world.lease("s1"), getter.name)
        world.way.faults["UpdateItem"] = [reply_lost, request_lost]
        giver.keeper.release(giver.lease("s1"), to=getter.name)
        assert giver.shards() == []
        world.run(1.25)
        assert getter.shards() == ["s1"]
        assert giver.shards() == []

    def test_a_release_that_did_not_happen_is_no_trap(self, world: World) -> None:
        """
        The row still has the worker's name; under a new term it is held again, and the old handle stays over.
        """
        world.offer("s1")
        w1 = world.join("w1")
        w1.keeper.step()
        old = w1.lease("s1")
        world.way.faults["UpdateItem"] = [request_lost, request_lost]
        w1.keeper.release(old)
        assert old.is_over()
        assert world.owners() == {"s1": "w1"}
        world.run(1.25)
        new = w1.lease("s1")
        assert (new.term, old.is_over(), new is old) == (2, True, False)

    def test_what_another_took_meanwhile_is_lost_not_released(self, world: World) -> None:
        """
        A worker that stood still for longer than a lease and lets go before it renews: log and figures say so.
        """
        world.offer("s1")
        w1 = world.join("w1")
        w1.keeper.step()
        old = w1.lease("s1")
        w2 = world.join("w2")
        world.members.remove(w1)  # it stands still from here on
        world.run(DURATION + 2.0)
        assert w2.shards() == ["s1"]
        with capture_logs() as logs:
            w1.keeper.release(old)
        assert [(log["event"], log["term"]) for log in logs] == [("lease.lost", 1)]
        assert (w1.keeper.counts().lost, w1.keeper.counts().released) == (1, 0)
        assert world.owners() == {"s1": "w2"}

    def test_nothing_is_taken_anew_while_it_is_let_go(self, world: World) -> None:
        """
        A look in the middle of a release sees our name on it; to believe in it would make two owners.
        """
        world.offer("s1")
        w1 = world.join("w1")
        w1.keeper.step()
        seen: list[list[str]] = []

        def look_meanwhile(effect: Any) -> Any:
            w1.keeper._is_nudged = True
            w1.keeper.step()
            seen.append(w1.shards())
            return effect()

        world.way.faults["UpdateItem"] = [look_meanwhile]
        w1.keeper.release(w1.lease("s1"), cooldown_seconds=5.0)
        assert seen == [[]]
        assert world.owners() == {"s1": None}

    @pytest.mark.parametrize("fault", [*BEFORE, *AFTER], ids=lambda each: each.__name__)
    def test_letting_go_never_raises(self, world: World, fault: Fault) -> None:
        """
        What cannot be written runs out by itself.
        """
        world.offer("s1")
        w1, w2 = world.join("w1"), world.join("w2", leases_max=1)
        w1.keeper.step()
        world.way.always = fault
        w1.keeper.release(w1.lease("s1"))
        w1.keeper.leave_fleet()
        world.way.always = None
        world.members.remove(w1)
        assert world.seconds_until(lambda: w2.shards() == ["s1"], within=30.0) <= DURATION + 2.0


class TestLettingGo:
    def test_a_shard_that_could_not_be_read_is_left_alone(self, world: World) -> None:
        """
        By this worker, for a while; another may try at once.
        """
        world.offer("s1")
        w1 = world.join("w1")
        w1.keeper.step()
        w1.keeper.release(w1.lease("s1"), cooldown_seconds=5.0)
        world.run(4.5)
        assert w1.shards() == []
        world.run(2.0)
        assert w1.shards() == ["s1"]

    def test_a_finished_shard_is_over(self, world: World) -> None:
        """
        It is no loss, and nobody takes it again.
        """
        world.offer("s1")
        w1 = world.join("w1")
        w1.keeper.step()
        held = w1.lease("s1")
        held.save(Position(9), finished=True)
        assert held.is_over()
        assert held.is_finished()
        world.run(20.0)
        assert w1.shards() == []
        assert w1.keeper.counts().lost == 0
        assert world.lease("s1").finished
        assert world.lease("s1").owner is None

    def test_a_checkpoint_is_found_by_the_next_owner(self, world: World) -> None:
        """
        Together with the lease.
        """
        world.offer("s1")
        w1, w2 = world.join("w1"), world.join("w2")
        world.run(2.0)
        giver, getter = (w1, w2) if w1.shards() else (w2, w1)
        giver.lease("s1").save(Position(41))
        giver.keeper.release(giver.lease("s1"), to=getter.name)
        world.run(1.25)
        assert getter.lease("s1").position == Position(41)

    def test_who_retires_takes_nothing_more_and_keeps_what_it_has(self, world: World) -> None:
        """
        Until it is released, one by one, by whoever drains.
        """
        world.offer("s1", "s2")
        w1 = world.join("w1")
        w1.keeper.step()
        w1.keeper.retire()
        world.offer("s3")
        world.run(30.0)
        assert w1.shards() == ["s1", "s2"]
        assert world.fleet().workers["w1"].state is WorkerState.LEAVING

    def test_a_take_under_way_when_it_retires_is_given_back(self, world: World) -> None:
        """
        Whoever drains has already looked at what is held.
        """
        w1 = world.join("w1")
        world.run(1.0)
        world.offer("s1")

        def retire_meanwhile(effect: Any) -> Any:
            w1.keeper.retire()
            return effect()

        world.way.faults["BatchExecuteStatement"] = [retire_meanwhile]
        w1.keeper._is_nudged = True
        w1.keeper.step()
        assert w1.shards() == []
        assert world.owners() == {"s1": None}

    def test_a_worker_that_leaves_is_replaced_within_seconds(self, world: World) -> None:
        """
        Nothing has to run out, and nobody keeps a share for it.
        """
        world.offer(*FOUR)
        w1, w2 = world.join("w1"), world.join("w2")
        world.run(5.0)
        assert is_settled(world, 2, 2)
        w1.keeper.retire()
        world.run(0.25)
        world.members.remove(w1)
        w1.keeper.leave_fleet()
        assert list(world.fleet().workers) == ["w2"]
        assert world.seconds_until(lambda: w2.shards() == list(FOUR), within=10.0) <= 1.5

    def test_who_leaves_gives_back_what_it_does_not_know_of(self, world: World) -> None:
        """
        A take whose replies were all lost.
        """
        w1 = world.join("w1")
        world.run(1.0)
        world.offer("s1")
        world.way.faults["BatchExecuteStatement"] = [reply_lost, request_lost]
        w1.keeper._is_nudged = True
        w1.keeper.step()
        assert w1.shards() == []
        assert world.owners() == {"s1": "w1"}
        w1.keeper.leave_fleet()
        assert world.owners() == {"s1": None}

    def test_who_leaves_is_handed_nothing_afterwards(self, world: World) -> None:
        """
        It had asked, and its neighbour, which is about to hand over, does not know yet that it has left.
        """
        world.offer("s1", "s2")
        w1 = world.join("w1")
        world.run(2.0)
        w2 = world.join("w2")
        world.seconds_until(lambda: "w2" in {world.lease(name).hand_over_to for name in ("s1", "s2")}, within=5.0)
        (asked,) = (name for name in ("s1", "s2") if world.lease(name).hand_over_to == "w2")
        world.members.remove(w2)
        w2.keeper.leave_fleet()
        w1.keeper.release(w1.lease(asked), to="w2")
        assert world.owners()[asked] is None


class TestPermit:
    def held(self, world: World) -> tuple[Member, HeldLease]:
        world.offer("s1")
        w1 = world.join("w1")
        w1.keeper.step()
        return w1, w1.lease("s1")

    def test_a_permit_lasts_as_long_as_the_lease(self, world: World) -> None:
        """
        And grows with every renewal.
        """
        w1, held = self.held(world)
        permit = held.permit(world.runtime.flag(), w1.keeper)
        assert permit.left_seconds() == pytest.approx(8.0)
        world.runtime.advance(7.0)
        assert permit.left_seconds() == pytest.approx(1.0)
        w1.keeper.step()
        assert permit.left_seconds() == pytest.approx(8.0)
        world.runtime.advance(8.0)
        assert permit.is_revoked()

    def test_a_permit_ends_with_the_stop_flag(self, world: World) -> None:
        """
        Nothing new is begun; what is under way may go on as long as the lease does.
        """
        w1, held = self.held(world)
        stop = world.runtime.flag()
        permit = held.permit(stop, w1.keeper)
        assert not permit.is_revoked()
        stop.set()
        assert permit.is_revoked()
        assert permit.left_seconds() == held.left_seconds() == pytest.approx(8.0)

    def test_a_permit_rests_while_delivery_is_paused(self, world: World, log_events: list[Any]) -> None:
        """
        From the next look on, and the lease lives on; when delivery is resumed, it goes on.
        """
        w1, held = self.held(world)
        permit = held.permit(world.runtime.flag(), w1.keeper)
        world.table().pause(Pause("ops", 5, "maintenance"))
        world.run(1.25)
        assert permit.is_revoked()
        assert w1.shards() == ["s1"]
        world.run(60.0)
        world.table().resume()
        world.run(1.25)
        assert not permit.is_revoked()
        assert held.term == 1
        assert [name for name in names(log_events) if name.startswith("delivery.")] == [
            "delivery.paused", "delivery.resumed",
        ]  # fmt: skip

    def test_a_wait_ends_with_the_permit(self, world: World) -> None:
        """
        Or with its own time, whichever is first.
        """
        w1, held = self.held(world)
        permit = held.permit(world.runtime.flag(), w1.keeper)
        start = world.runtime.monotonic()
        assert not permit.wait(2.0)
        assert world.runtime.monotonic() - start == pytest.approx(2.0)
        assert permit.wait(20.0)
        assert world.runtime.monotonic() - start == pytest.approx(8.0, abs=0.25)


class TestJoining:
    OTHER = replace(SETTINGS, destinations=frozenset({"bus"}), lease_ms=20_000)

    def test_the_first_worker_puts_its_settings_in_force(self, world: World) -> None:
        """
        At once: nobody is there to disagree.
        """
        start = world.runtime.monotonic()
        world.join("w1")
        assert world.fleet().settings == SETTINGS
        assert world.fleet().workers["w1"].state is WorkerState.WORKING
        assert world.runtime.monotonic() == start

    def test_an_equal_one_works_beside_it(self, world: World) -> None:
        """
        Of another release, too: settings count, and the protocol, not versions.
        """
        world.join("w1")
        world.run(1.0)
        start = world.runtime.monotonic()
        world.join("w2")
        assert world.runtime.monotonic() == start

    def test_another_one_says_why_it_will_not_start(self, world: World) -> None:
        """
        It names what differs on both sides and who lives, and leaves no trace.
        """
        world.offer("s1")
        w1 = world.join("w1")
        world.run(2.0)
        w2 = world.member("w2", settings=self.OTHER)
        step, turns = w2.keeper._table.look, 0

        def look_while_the_other_works() -> Any:
            nonlocal turns
            turns += 1
            world.run(1.0)
            return step()

        w2.keeper._table.look = look_while_the_other_works  # type: ignore[method-assign]
        with pytest.raises(FleetSettingsError) as caught:
            w2.keeper.join_fleet(world.stop)
        assert caught.value.differences == {"destinations": ("bus, index", "bus"), "lease_seconds": ("10", "20")}
        assert caught.value.workers == {"w1"}
        assert "destinations is bus, index for them and bus here" in str(caught.value)
        assert turns <= 6, "one renewal of the other is enough to know"
        assert list(world.fleet().workers) == ["w1"]
        assert world.fleet().settings == SETTINGS
        assert w1.shards() == ["s1"]

    def test_settings_of_the_dead_are_replaced(self, world: World, log_events: list[Any]) -> None:
        """
        After their records stood still for as long as a lease of the newcomer lasts.
        """
        world.offer("s1")
        w1 = world.join("w1")
        world.run(2.0)
        w1.is_away = True
        start = world.runtime.monotonic()
        w2 = world.join("w2", settings=self.OTHER)
        assert 20.0 <= world.runtime.monotonic() - start <= 22.0
        assert world.fleet().settings == self.OTHER
        world.run(25.0)
        assert w2.shards() == ["s1"]
        assert names(log_events).count("settings.differ") == 1
        assert "settings.replaced" in names(log_events)

    def test_who_works_under_longer_leases_is_not_taken_for_dead(self, world: World) -> None:
        """
        A newcomer with short leases waits as long as the leases in force last: their owner may be alive and silent.
        """
        world.offer("s1")
        w1 = world.join("w1")
        world.run(2.0)
        w1.is_away = True
        start = world.runtime.monotonic()
        w2 = world.join("w2", settings=replace(SETTINGS, lease_ms=3_000))
        assert 10.0 <= world.runtime.monotonic() - start <= 12.0
        world.run(5.0)
        assert w2.shards() == ["s1"]
        assert w1.shards() == []

    def test_settings_are_changed_at_once_after_a_clean_stop(self, world: World) -> None:
        """
        Whoever left has said so.
        """
        world.offer("s1")
        w1 = world.join("w1")
        world.run(2.0)
        w1.keeper.leave_fleet()
        world.members.clear()
        start = world.runtime.monotonic()
        world.join("w2", settings=self.OTHER)
        assert world.runtime.monotonic() == start

    def test_who_was_replaced_while_away_goes_down(self, world: World) -> None:
        """
        It was stopped for longer than a lease, and others with other settings live now.
        """
        world.offer("s1")
        w1 = world.join("w1")
        world.run(2.0)
        w1.is_away = True
        world.join("w2", settings=self.OTHER)
        with pytest.raises(FleetSettingsError):
            w1.keeper.step()

    def test_several_with_new_settings_start_together(self, world: World) -> None:
        """
        All workers were killed, and come back with other settings: they do not keep each other out.
        """
        world.join("w1").is_away = True
        newcomers = [world.member(name, settings=self.OTHER) for name in ("w2", "w3")]
        for newcomer in newcomers:
            newcomer.keeper.show(WorkerState.JOINING)
            newcomer.keeper.look()
        for newcomer in newcomers:
            newcomer.keeper.join_fleet(world.stop)
        assert world.fleet().settings == self.OTHER
        assert {each.state for name, each in world.fleet().workers.items() if name != "w1"} == {WorkerState.WORKING}

    def test_of_two_with_different_settings_one_works(self, world: World) -> None:
        """
        The second finds those of the first in force, and that it lives.
        """
        third = FleetSettings(frozenset({"file"}), "third", 10_000, 1)
        world.join("w1", settings=self.OTHER)
        w2 = world.member("w2", settings=third)
        look = w2.keeper._table.look

        def look_while_the_other_works() -> Any:
            world.run(1.0)
            return look()

        w2.keeper._table.look = look_while_the_other_works  # type: ignore[method-assign]
        with pytest.raises(FleetSettingsError):
            w2.keeper.join_fleet(world.stop)

    def test_a_removed_record_of_settings_is_written_again(self, world: World) -> None:
        """
        By a worker that works with them.
        """
        w1 = world.join("w1")
        world.client.delete_item(
            TableName="inventory_relay", Key={"recordType": {"S": "fleet"}, "recordKey": {"S": "settings"}}
        )
        w1.keeper.step()
        assert world.fleet().settings == SETTINGS

    def test_another_bus_is_refused_while_others_live(self, world: World) -> None:
        """
        It is named, theirs first, and nothing changes; how to move it is said.
        """
        old, new = OLD_BUS, replace(SETTINGS, bus=frozenset({"new:5672/v"}))
        world.join("w1", settings=old)
        world.run(1.0)
        w2 = world.member("w2", settings=new)
        look = w2.keeper._table.look

        def look_while_the_other_works() -> Any:
            world.run(1.0)
            return look()

        w2.keeper._table.look = look_while_the_other_works  # type: ignore[method-assign]
        with pytest.raises(
            FleetSettingsError, match="bus is a:5672/v, b:5672/v for them and new:5672/v here"
        ) as caught:
            w2.keeper.join_fleet(world.stop)
        assert "RELAY_BUS_MOVED_FROM" in str(caught.value)
        assert world.fleet().settings == old

    def test_a_move_that_is_announced_replaces_it_at_once(self, world: World, log_events: list[Any]) -> None:
        """
        Who works with the one before learns it at its next look, and goes down.
        """
        new = replace(SETTINGS, bus=frozenset({"new:5672/v"}))
        world.join("w1", settings=OLD_BUS)
        start = world.runtime.monotonic()
        world.join("w2", settings=new, moved_from=frozenset({"b:5672/v"}))
        assert world.runtime.monotonic() == start
        assert world.fleet().settings == new
        assert [(each["before"], each["now"]) for each in log_events if each["event"] == "bus.moved"] == [
            (["a:5672/v", "b:5672/v"], ["new:5672/v"])
        ]
        with pytest.raises(FleetSettingsError):
            world.run(2.0)

    def test_a_record_that_names_no_bus_gets_one(self, world: World) -> None:
        """
        A former release wrote it, and goes on; the next worker with another bus is refused.
        """
        world.join("w1")
        world.join("w2", settings=OLD_BUS)
        assert world.fleet().settings == OLD_BUS
        world.run(2.0)
        assert world.fleet().settings == OLD_BUS

    def test_nodes_of_one_cluster_come_and_go(self, world: World) -> None:
        """
        A worker that shares a node with those in force joins, and what it names is in force from then on.
        """
        world.join("w1", settings=OLD_BUS)
        later = replace(SETTINGS, bus=frozenset({"b:5672/v", "c:5672/v"}))
        world.join("w2", settings=later)
        assert world.fleet().settings == later
        world.run(2.0)

    def test_a_stop_ends_the_wait(self, world: World) -> None:
        """
        Nobody has to wait for the dead.
        """
        world.join("w1").is_away = True
        w2 = world.member("w2", settings=self.OTHER)
        stop = world.runtime.flag()
        stop.set()
        start = world.runtime.monotonic()
        w2.keeper.join_fleet(stop)
        assert world.runtime.monotonic() == start


def test_a_keeper_runs_as_a_part(world: World) -> None:
    """
    Until its own flag is raised; what it holds stays its own until it leaves.
    """
    world.offer("s1")
    w1 = world.member("w1")
    w1.keeper.join_fleet(world.runtime.flag())
    w1.keeper.start()
    world.runtime.wait_for(lambda: bool(w1.keeper._held), 30.0)
    w1.keeper.stop()
    assert w1.keeper.join(30.0)
    assert w1.keeper.dead_part is None
    assert w1.lease("s1").term == 1
    w1.keeper.leave_fleet()
    assert world.owners() == {"s1": None}


def test_an_unreadable_record_is_said_once(world: World, log_events: list[Any]) -> None:
    """
    Not at every look.
    """
    world.offer("s1")
    w1 = world.join("w1")
    world.put_row({**world.row(lease_key(LABEL, "s1")), "term": {"S": "x"}})
    world.run(10.0)
    assert names(log_events).count("fleet.unreadable") == 1
    assert w1.shards() == []
