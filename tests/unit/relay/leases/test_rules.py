"""Who may take which lease, and when."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.leases import rules
from relay.leases.fleet import Fleet, FleetSettings, Pause, WorkerState
from relay.leases.rules import Heartbeat

from .fleets import DURATION, LABEL, fleet, hand_over, key, lease, loads, shards, sweep, view, worker


class TestSigns:
    def test_a_value_is_dated_when_it_is_first_received(self) -> None:
        """
        The same value again is no new heartbeat; another one is.
        """
        first = rules.note_heartbeats({}, {"k": ("w", 1, 1)}, 5.0)
        again = rules.note_heartbeats(first, {"k": ("w", 1, 1)}, 6.0)
        later = rules.note_heartbeats(again, {"k": ("w", 1, 2)}, 7.0)
        assert first == again == {"k": Heartbeat(("w", 1, 1), 5.0, moved=False)}
        assert later == {"k": Heartbeat(("w", 1, 2), 7.0, moved=True)}

    def test_a_change_of_hands_is_a_sign_of_life(self) -> None:
        """
        A new owner has its whole duration, even if the counter looked the same.
        """
        before = rules.note_heartbeats({}, {"k": ("w", 1, 1)}, 5.0)
        assert rules.note_heartbeats(before, {"k": ("v", 2, 1)}, 9.0)["k"].since == 9.0

    def test_what_is_gone_is_forgotten(self) -> None:
        """
        A record that comes back after it was removed starts again.
        """
        assert rules.note_heartbeats({"k": Heartbeat((), 1.0)}, {}, 2.0) == {}

    def test_a_lease_speaks_by_owner_term_and_counter(self) -> None:
        """
        A checkpoint alone is no heartbeat, since it is written by whoever holds the term, not by whoever renews.
        """
        seen = fleet(lease("s1", "w1", term=3, counter=9))
        assert rules.lease_values(seen) == {key("s1"): ("w1", 3, 9)}
        assert rules.worker_values(fleet(worker("w1", counter=7))) == {"w1": (7,)}


class TestTimes:
    def test_an_owner_stops_before_another_may_begin(self) -> None:
        """
        Four fifths of the duration after the heartbeat was sent; another waits for all of it.
        """
        assert rules.valid_until(100.0, 10.0) == 108.0

    def test_an_owner_renews_three_times_in_a_duration(self) -> None:
        """
        Two renewals may fail before it must stop.
        """
        assert rules.renew_at(100.0, 9.0) == 103.0

    @pytest.mark.parametrize(("now", "blind"), [(101.0, 0.0), (102.0, 0.0), (103.5, 1.5), (99.0, 0.0)])
    def test_a_look_that_comes_late_was_blind_meanwhile(self, now: float, blind: float) -> None:
        """
        Two intervals between looks are nothing; what is beyond is not the silence of others.
        """
        assert rules.blind_seconds(100.0, now, 1.0) == blind


class TestTaking:
    def test_a_free_lease_is_taken_at_once(self) -> None:
        """
        Nobody holds it, so nothing has to run out.
        """
        seen = fleet(lease("s1", None), worker("w1"))
        assert shards(rules.to_take(view(seen, "w1"))) == ["s1"]

    @pytest.mark.parametrize(("silent", "taken"), [(9.99, []), (10.0, ["s1"])])
    def test_a_silent_owner_loses_its_lease_after_the_whole_duration(self, silent: float, taken: list[str]) -> None:
        """
        Not before: until then the owner may believe in it.
        """
        seen = fleet(lease("s1", "dead"), worker("w1"))
        assert shards(rules.to_take(view(seen, "w1", silent={key("s1"): silent}))) == taken

    def test_what_was_just_seen_for_the_first_time_is_not_silent(self) -> None:
        """
        A worker that starts knows nothing of the past: it waits for the whole duration like everybody.
        """
        seen = fleet(lease("s1", "dead"), worker("w1"))
        assert rules.to_take(view(seen, "w1", moved=False)) == []

    def test_a_finished_shard_is_never_taken(self) -> None:
        """
        There is nothing left to read.
        """
        done = replace(lease("s1", None), finished=True)
        assert rules.to_take(view(fleet(done, worker("w1")), "w1")) == []

    def test_each_worker_takes_its_share(self) -> None:
        """
        Five free shards and two workers: three at most for each, and different ones first.
        """
        seen = fleet(*(lease(f"s{n}", None) for n in range(1, 6)), worker("w1"), worker("w2"))
        assert shards(rules.to_take(view(seen, "w1"))) == ["s1", "s2", "s3"]
        assert shards(rules.to_take(view(seen, "w2"))) == ["s3", "s4", "s5"]

    def test_what_is_held_counts_towards_the_share(self) -> None:
        """
        Three of four shards are mine already: the free one is for the other.
        """
        seen = fleet(
            *(lease(f"s{n}", "w1") for n in range(1, 4)), lease("s4", None), worker("w1"), worker("w2")
        )  # fmt: skip
        assert rules.to_take(view(seen, "w1")) == []
        assert shards(rules.to_take(view(seen, "w2"))) == ["s4"]

    def test_what_nobody_took_is_taken_beyond_the_share(self) -> None:
        """
        Who was counted on does not come; the shard must not wait for it.
        """
        seen = fleet(lease("s1", "w1"), lease("s2", None), worker("w1"), worker("w2"))
        assert rules.to_take(view(seen, "w1", silent={key("s2"): 0.49})) == []
        assert shards(rules.to_take(view(seen, "w1", silent={key("s2"): 0.5}))) == ["s2"]

    def test_nobody_takes_more_than_it_can_carry(self) -> None:
        """
        However long it lies there.
        """
        seen = fleet(*(lease(f"s{n}", None) for n in range(1, 6)), worker("w1"))
        small = replace(view(seen, "w1", silent={key("s1"): 99.0}), leases_max=2)
        assert len(rules.to_take(small)) == 2

    def test_what_it_holds_takes_room(self) -> None:
        """
        Of two shards that it can carry it has one: there is room for one more.
        """
        seen = fleet(lease("s1", "w1"), *(lease(f"s{n}", None) for n in range(2, 5)), worker("w1"))
        small = replace(view(seen, "w1", silent={key("s4"): 99.0}), held=frozenset({key("s1")}), leases_max=2)
        assert shards(rules.to_take(small)) == ["s2"]

    def test_the_sweep_counts_towards_nothing(self) -> None:
        """
        Its lease is taken beside the share and beside the bound of shards.
        """
        seen = fleet(sweep(None), lease("s1", "w1"), worker("w1"))
        assert shards(rules.to_take(replace(view(seen, "w1"), leases_max=1))) == [None]

    def test_what_names_me_and_is_not_held_is_taken_anew(self) -> None:
        """
        The reply to a take was lost, or it was handed over: it is mine without waiting, beyond any share.
        """
        seen = fleet(lease("s1", "w1"), lease("s2", "w2"), lease("s3", "w1"), worker("w1"), worker("w2"))
        mine = replace(view(seen, "w1"), held=frozenset({key("s1")}))
        assert shards(rules.to_take(mine)) == ["s3"]

    def test_gives_back_what_names_it_beyond_its_room(self) -> None:
        """
        The reply to a take was lost, and it has taken another shard meanwhile: held, it would be carried by nobody.
        """
        seen = fleet(lease("s1", "w1"), lease("s2", "w1"), worker("w1"))
        full = replace(view(seen, "w1"), held=frozenset({key("s1")}), leases_max=1)
        assert rules.to_take(full) == []
        assert shards(rules.to_give_back(full)) == ["s2"]
        roomy = replace(full, leases_max=2)
        assert shards(rules.to_take(roomy)) == ["s2"]
        assert rules.to_give_back(roomy) == []

    def test_what_is_let_go_is_left_alone(self) -> None:
        """
        Free, abandoned or still in my name: not as long as I leave it alone.
        """
        seen = fleet(lease("s1", None), lease("s2", "dead"), lease("s3", "w1"), worker("w1"))
        apart = frozenset({key("s1"), key("s2"), key("s3")})
        calm = replace(view(seen, "w1", silent={key("s2"): 60.0}), held=frozenset(), left_alone=apart)
        assert rules.to_take(calm) == []

    def test_the_abandoned_are_shared_among_the_living(self) -> None:
        """
        Whoever lets a lease run out is counted on no more, even while its record still looks fresh.
        """
        seen = fleet(
            *(lease(f"s{n}", "dead") for n in range(1, 5)),
            *(worker(name) for name in ("dead", "w1", "w2")),
        )
        silent = {key(f"s{n}"): 10.0 for n in range(1, 5)}
        taken = [shards(rules.to_take(view(seen, name, silent=silent))) for name in ("w1", "w2")]
        assert taken == [["s1", "s2"], ["s3", "s4"]]

    @given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 3))
    def test_together_the_living_take_all(self, leases: int, living: int, joining: int) -> None:
        """
        With equal views and room enough, every free shard is wanted by somebody at the first look.
        """
        names = [f"w{n}" for n in range(living)]
        seen = fleet(
            *(lease(f"s{n:02}", None) for n in range(leases)),
            *(worker(name) for name in names),
            *(worker(f"j{n}", state=WorkerState.JOINING) for n in range(joining)),
        )
        taken = {each.key for name in names for each in rules.to_take(replace(view(seen, name), leases_max=40))}
        assert taken == set(seen.leases)


class TestLiving:
    def test_a_silent_worker_is_not_counted(self) -> None:
        """
        Its record stood still for a whole duration.
        """
        seen = fleet(worker("w1"), worker("w2"), worker("w3"))
        assert view(seen, "w1", silent={"w2": 9.9, "w3": 10.0}).live == {"w1", "w2"}

    @pytest.mark.parametrize("state", [WorkerState.JOINING, WorkerState.LEAVING])
    def test_who_joins_or_leaves_is_not_counted(self, state: WorkerState) -> None:
        """
        It takes nothing, so nothing is kept for it.
        """
        assert view(fleet(worker("w1"), worker("w2", state=state)), "w1").live == {"w1"}

    def test_renewals_are_a_sign_of_life(self) -> None:
        """
        A worker whose record cannot be written, or is gone, but whose leases are renewed, lives.
        """
        seen = fleet(lease("s1", "w2"), lease("s2", "w3"), worker("w1"), worker("w2"))
        assert view(seen, "w1", silent={"w2": 99.0}).live == {"w1", "w2", "w3"}

    def test_the_worst_lag_of_those_that_live_counts(self) -> None:
        """
        What a dead worker said last is old news.
        """
        seen = fleet(worker("w1", lag=3.0), worker("w2", lag=7.5), worker("dead", lag=900.0), worker("w4"))
        assert rules.feed_lag_seconds(view(seen, "w1", silent={"dead": 10.0})) == 7.5
        assert rules.feed_lag_seconds(view(fleet(worker("w1")), "w1")) == 0.0

    def test_the_long_dead_are_forgotten(self) -> None:
        """
        After a minute or six durations, whichever is longer, and not while a lease still bears their name.
        """
        seen = fleet(lease("s1", "heir"), *(worker(name) for name in ("w1", "gone", "heir", "late")))
        knows = view(seen, "w1", silent={"gone": 60.0, "heir": 60.0, "late": 59.9, "w1": 60.0})
        assert rules.forgettable_workers(knows) == ["gone"]
        assert rules.forgettable_workers(replace(knows, lease_seconds=11.0)) == []


class TestAsking:
    def test_the_idle_asks_the_busiest(self) -> None:
        """
        A newcomer gets a share though nothing is free.
        """
        seen = fleet(lease("s1", "w1"), lease("s2", "w1"), worker("w1"), worker("w2"))
        asked = rules.to_ask_for(view(seen, "w2"))
        assert asked is not None
        assert asked.shard_id == "s1"
        assert rules.to_ask_for(view(seen, "w1")) is None
        beside = replace(seen, leases={sweep("w2").key: sweep("w2"), **seen.leases})
        assert rules.to_ask_for(view(beside, "w2")) == asked

    def test_who_has_no_room_asks_for_none(self) -> None:
        """
        It has fewer than the busiest, and as many as it can carry.
        """
        seen = fleet(*(lease(f"s{n}", "w1") for n in range(1, 4)), lease("s4", "w2"), worker("w1"), worker("w2"))
        assert rules.to_ask_for(replace(view(seen, "w2"), leases_max=1)) is None
        assert rules.to_ask_for(replace(view(seen, "w2"), leases_max=2)) is not None

    def test_one_more_is_no_reason(self) -> None:
        """
        Two and one stays two and one: handing over would only turn it round.
        """
        seen = fleet(lease("s1", "w1"), lease("s2", "w1"), lease("s3", "w2"), worker("w1"), worker("w2"))
        assert [rules.to_ask_for(view(seen, name)) for name in ("w1", "w2")] == [None, None]

    def test_nobody_asks_while_a_hand_over_is_under_way(self) -> None:
        """
        One at a time in the whole fleet.
        """
        seen = fleet(
            *(lease(f"s{n}", "w1") for n in range(2, 6)), lease("s1", "w1", to="w2"),
            *(worker(name) for name in ("w1", "w2", "w3")),
        )  # fmt: skip
        assert [rules.to_ask_for(view(seen, name)) for name in ("w2", "w3")] == [None, None]

    def test_a_dead_worker_asks_no_more(self) -> None:
        """
        Its request stands in nobody's way, and its owner does not hand over into the void.
        """
        seen = fleet(
            *(lease(f"s{n}", "w1") for n in range(2, 6)), lease("s1", "w1", to="dead"),
            *(worker(name) for name in ("w1", "w2", "dead")),
        )  # fmt: skip
        knows = view(seen, "w2", silent={"dead": 10.0})
        assert rules.asker_of(knows, seen.leases[key("s1")]) is None
        assert rules.to_ask_for(knows) is not None

    def test_nobody_asks_while_something_is_free_or_abandoned(self) -> None:
        """
        That comes first, and changes the loads.
        """
        seen = fleet(*(lease(f"s{n}", "w1") for n in range(1, 5)), worker("w1"), worker("w2"))
        free = fleet(*seen.leases.values(), lease("s5", None), *seen.workers.values())
        dead = fleet(*seen.leases.values(), lease("s5", "dead"), *seen.workers.values())
        assert rules.to_ask_for(view(seen, "w2")) is not None
        assert rules.to_ask_for(view(free, "w2")) is None
        assert rules.to_ask_for(view(dead, "w2", silent={key("s5"): 10.0})) is None

    def test_nobody_asks_while_delivery_is_paused(self) -> None:
        """
        A page in flight could not be finished.
        """
        seen = fleet(lease("s1", "w1"), lease("s2", "w1"), worker("w1"), worker("w2"))
        paused = replace(seen, pause=Pause("ops", 0, "maintenance"))
        assert rules.to_ask_for(view(paused, "w2")) is None

    def test_who_could_not_read_a_shard_asks_for_none(self) -> None:
        """
        It would only pass on what it gets.
        """
        seen = fleet(lease("s1", "w1"), lease("s2", "w1"), worker("w1"), worker("w2"))
        assert rules.to_ask_for(replace(view(seen, "w2"), left_alone=frozenset({"lease#x#y"}))) is None

    def test_nobody_asks_an_owner_that_may_be_dead(self) -> None:
        """
        It must have sent a heartbeat under the asker's eyes.
        """
        seen = fleet(lease("s1", "w1"), lease("s2", "w1"), worker("w1"), worker("w2"))
        assert rules.to_ask_for(view(seen, "w2", moved=False)) is None

    def test_the_sweep_is_not_asked_for(self) -> None:
        """
        A worker with a shard and the sweep has one shard.
        """
        seen = fleet(lease("s1", "w1"), sweep("w1"), worker("w1"), worker("w2"))
        assert rules.to_ask_for(view(seen, "w2")) is None

    @settings(deadline=None)  # it says nothing of time
    @given(st.lists(st.integers(0, 9), min_size=2, max_size=6))
    def test_hand_overs_come_to_an_end_and_leave_it_even(self, counts: list[int]) -> None:
        """
        There is one asker at a time, no shard comes back to where it was, and in the end loads differ by one at most.
        """
        names = [f"w{n}" for n in range(len(counts))]
        seen = fleet(
            *(lease(f"{name}-{n}", name) for name, count in zip(names, counts, strict=True) for n in range(count)),
            *(worker(name) for name in names),
        )
        former: set[tuple[str, str]] = set()
        for _ in range(sum(counts) + 1):
            asked = [(name, found) for name in names if (found := rules.to_ask_for(view(seen, name)))]
            if not asked:
                break
            ((asker, wanted),) = asked
            assert wanted.owner is not None
            former.add((wanted.key, wanted.owner))
            assert (wanted.key, asker) not in former
            seen = hand_over(seen, wanted, asker)
        else:
            pytest.fail("the hand-overs go on for ever")
        assert max(loads(seen).values()) - min(loads(seen).values()) <= 1


class TestWaking:
    def test_a_looker_wakes_when_something_runs_out(self) -> None:
        """
        Not a look later: an abandoned lease waits for nothing but its duration.
        """
        seen = fleet(lease("s1", "w2"), lease("s2", "w2"), worker("w1"), worker("w2"))
        assert rules.wakes_at(view(seen, "w1", silent={key("s1"): 9.7, key("s2"): 2.0})) == pytest.approx(100.3)

    def test_a_looker_wakes_when_something_is_overdue(self) -> None:
        """
        What it left to others and nobody took.
        """
        seen = fleet(lease("s1", "w1"), lease("s2", None), worker("w1"), worker("w2"))
        assert rules.wakes_at(view(seen, "w1", silent={key("s2"): 0.2})) == pytest.approx(100.3)

    def test_nothing_to_wait_for(self) -> None:
        """
        A fleet without leases wakes nobody.
        """
        assert rules.wakes_at(view(fleet(worker("w1")), "w1")) is None


class TestSettings:
    HERE = FleetSettings(frozenset({"bus", "index"}), "inventory", 10_000, 1)

    def test_differences_name_both_sides(self) -> None:
        """
        What is in force first, then what this worker has; what is the same is left out.
        """
        there = FleetSettings(frozenset({"bus"}), "inventory", 30_000, 1)
        assert rules.differences(there, self.HERE) == {
            "destinations": ("bus", "bus, index"),
            "lease_seconds": ("30", "10"),
        }
        assert rules.differences(self.HERE, self.HERE) == {}

    def test_the_bus_is_one_of_them(self) -> None:
        """
        A worker whose bus shares no node with the one in force differs; nodes of one cluster need not all be named.
        """
        one = replace(self.HERE, bus=frozenset({"h1:5672/v", "h2:5672/v"}))
        same = replace(self.HERE, bus=frozenset({"h2:5672/v", "h3:5672/v"}))
        other = replace(self.HERE, bus=frozenset({"h1:5672/w"}))
        assert rules.differences(one, same) == {}
        assert rules.differences(one, self.HERE) == {}, "a former release noted none"
        assert rules.differences(one, other) == {"bus": ("h1:5672/v, h2:5672/v", "h1:5672/w")}
        assert [one.agrees_with(each) for each in (same, self.HERE, other)] == [True, True, False]
        assert not one.agrees_with(replace(same, lease_ms=1))

    def test_a_move_is_announced(self) -> None:
        """
        By naming the bus in force; another one, or a further difference, is no move that was meant.
        """
        there = replace(self.HERE, bus=frozenset({"h1:5672/v", "h2:5672/v"}))
        here = replace(self.HERE, bus=frozenset({"new:5672/v"}))
        assert rules.is_move(there, here, frozenset({"h2:5672/v"}))
        assert not rules.is_move(there, here, frozenset({"new:5672/v"}))
        assert not rules.is_move(there, here, frozenset())
        assert not rules.is_move(there, replace(here, lease_ms=1), frozenset({"h2:5672/v"}))
        assert not rules.is_move(there, there, frozenset({"h2:5672/v"}))

    def test_who_moves_is_at_work(self) -> None:
        """
        A record or a lease that changed under the looker's eyes; who joins or leaves does not count.
        """
        seen = fleet(
            lease("s1", "w2"), lease("s2", "w4"), worker("w1"), worker("w3"),
            worker("w4", state=WorkerState.LEAVING), worker("w5", state=WorkerState.JOINING),
        )  # fmt: skip
        assert rules.others_at_work(view(seen, "w1")) == {"w2", "w3"}
        assert rules.others_at_work(view(seen, "w1", moved=False)) == frozenset()

    def test_who_was_not_silent_long_enough_may_be_at_work(self) -> None:
        """
        Until a whole duration has passed, the dead look like the living; who only joins does not matter.
        """
        seen = fleet(
            lease("s1", "w2"), worker("w1"), worker("w3"),
            worker("w4", state=WorkerState.LEAVING), worker("w5", state=WorkerState.JOINING),
        )  # fmt: skip
        assert rules.others_maybe(view(seen, "w1", moved=False)) == {"w2", "w3", "w4"}
        silent = {key("s1"): 10.0, "w3": 10.0, "w4": 10.0}
        assert rules.others_maybe(view(seen, "w1", silent=silent)) == frozenset()


def test_keys_tell_stream_and_shard() -> None:
    """
    Labels have colons and dots, shard ids have dashes; neither has the separator.
    """
    assert lease("shardId-0001", None).key == f"lease#{LABEL}#shardId-0001"
    assert lease("shardId-0001", None).stream_label == LABEL
    assert sweep(None).shard_id is None
    assert Fleet() == fleet()
    assert DURATION == 10.0


def test_shards_wait_when_nobody_has_room_for_them() -> None:
    """
    Free or abandoned, for longer than somebody with room would need; not those that this worker just leaves alone.
    """
    seen = fleet(worker("me"), sweep("me"), lease("a", "me"), lease("b", None), lease("c", None), lease("d", "dead"))
    silent = {key("b"): 2.0, key("c"): 1.9, key("d"): DURATION + 2.0}
    here = view(seen, "me", silent=silent)
    full = replace(here, leases_max=1)

    assert rules.waiting_shards(here) == 0
    assert rules.waiting_shards(full) == 2
    assert rules.waiting_shards(replace(full, left_alone=frozenset({key("b")}))) == 1
