"""Each fault of the weather: that it is met, and what AWS still promises under it."""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb import Weather
from eventstore.testing.dynamodb.faults.weather import BOUNDS, FAULTS

HOUR_MS = 60 * 60 * 1000


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.ms = 1_750_000_000_000

    def now_ms(self) -> int:
        return self.ms


class World:
    """A table `things` with stream and index, and a table `rest`, in a weather."""

    def __init__(self, seed=1, passage=None, **weather):
        self.clock = Clock()
        self.database = InMemoryDynamoDB(clock=self.clock, random=Random(seed), passage=passage)
        self.client, self.streams = self.database.client(), self.database.streams_client()
        for table in ("things", "rest"):
            self.client.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[
                    {"AttributeName": "id", "AttributeType": "S"},
                    {"AttributeName": "colour", "AttributeType": "S"},
                ],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                GlobalSecondaryIndexes=[
                    {
                        "IndexName": "by-colour",
                        "KeySchema": [{"AttributeName": "colour", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                    }
                ],
                StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
            )
        self.arn = self.client.describe_table(TableName="things")["Table"]["LatestStreamArn"]
        self.database.weather = Weather(**weather)

    def put(self, name, colour="red"):
        self.client.put_item(TableName="things", Item=item(name, colour))

    def transact(self, *names, repeatable_as=None, colour="red"):
        further = {} if repeatable_as is None else {"ClientRequestToken": repeatable_as}
        self.client.transact_write_items(TransactItems=puts(*names, colour=colour), **further)

    def get(self, name, *, consistent=True):
        found = self.client.get_item(TableName="things", Key={"id": {"S": name}}, ConsistentRead=consistent)
        return found["Item"]["colour"]["S"] if "Item" in found else None

    def coloured(self, colour):
        found = self.client.query(
            TableName="things",
            IndexName="by-colour",
            KeyConditionExpression="colour = :c",
            ExpressionAttributeValues={":c": {"S": colour}},
        )
        return sorted(one["id"]["S"] for one in found["Items"])

    def scanned(self, *, consistent=True):
        names, further = [], {}
        for _ in range(1000):
            page = self.client.scan(TableName="things", ConsistentRead=consistent, **further)
            names += [one["id"]["S"] for one in page["Items"]]
            if "LastEvaluatedKey" not in page:
                return sorted(names)
            further = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        raise AssertionError("a scan without end")

    def shards(self, **further):
        return self.streams.describe_stream(StreamArn=self.arn, **further)["StreamDescription"]["Shards"]

    def listed(self):
        """Return all shards, page by page."""
        found, further = [], {}
        for _ in range(1000):
            page = self.streams.describe_stream(StreamArn=self.arn, **further)["StreamDescription"]
            found += page["Shards"]
            if "LastEvaluatedShardId" not in page:
                return found
            further = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}
        raise AssertionError("a listing without end")

    def place(self, shard_id, kind="TRIM_HORIZON", **further):
        found = self.streams.get_shard_iterator(StreamArn=self.arn, ShardId=shard_id, ShardIteratorType=kind, **further)
        return found["ShardIterator"]

    def pages(self, shard_id):
        """Return the pages of a shard up to its end, or to what there is."""
        place, pages, idle = self.place(shard_id), [], 0
        while place is not None and idle < 40:
            reply = self.streams.get_records(ShardIterator=place)
            pages.append([read(record) for record in reply["Records"]])
            idle = 0 if reply["Records"] else idle + 1
            place = reply.get("NextShardIterator")
        return pages, place is None

    def records(self):
        """Return all records in the order of their positions in the feed's shards, oldest shard first."""
        return [record for shard in self.listed() for page in self.pages(shard["ShardId"])[0] for record in page]


def item(name, colour):
    return {"id": {"S": name}, "colour": {"S": colour}}


def puts(*names, colour="red"):
    return [{"Put": {"TableName": "things", "Item": item(name, colour)}} for name in names]


def read(record):
    image = record["dynamodb"]["NewImage"]
    return image["id"]["S"], image["colour"]["S"]


def code_of(call, *args, **kwargs):
    """Return how a call ends: its error code, `lost`, or None when it succeeds."""
    try:
        call(*args, **kwargs)
    except ClientError as error:
        return error.response["Error"]["Code"]
    except ConnectionClosedError:
        return "lost"
    return None


class AsksBetween:
    """A passage that looks at the world between the effect and the reply of TransactWriteItems."""

    def __init__(self):
        self.look = None
        self.is_looking = False

    def carry(self, operation, request, effect):
        reply = effect()
        if operation == "TransactWriteItems" and self.look is not None and not self.is_looking:
            self.is_looking = True
            try:
                self.look()
            finally:
                self.is_looking = False
        return reply


# The settings


def test_a_weather_is_checked_as_a_whole():
    """
    All wrong fields are named in one message.
    """
    with pytest.raises(ValueError, match="throttle is a chance from 0 to 1; hide_ms_max is at least 1"):
        Weather(throttle=2, hide_ms_max=0)


def test_no_fault_is_on_by_itself_and_a_rough_weather_has_all():
    """
    The plain weather is calm; the rough one leaves nothing out.
    """
    assert {getattr(Weather(), fault) for fault in FAULTS} == {0}
    assert [fault for fault in FAULTS if getattr(Weather.rough(), fault) == 0] == []
    assert not set(BOUNDS) & set(FAULTS)


def test_without_a_weather_nothing_is_counted():
    """
    Every fault has a count, and it is nought.
    """
    assert InMemoryDynamoDB().met == dict.fromkeys(FAULTS, 0)


def test_one_seed_has_one_course():
    """
    The same calls under the same seed end in the same way; under another one they do not.
    """

    def course(seed):
        world = World(seed, throttle=0.3, lost_reply=0.2, server_error=0.2)
        return [code_of(world.put, str(number)) for number in range(50)], world.database.met

    assert course(3) == course(3)
    assert course(3) != course(4)


def test_the_weather_can_change():
    """
    A calm weather ends all faults, and what was met stays counted.
    """
    world = World(throttle=1)
    assert code_of(world.put, "a") is not None
    world.database.weather = Weather()

    world.put("a")

    assert world.get("a") == "red"
    assert world.database.met["throttle"] == 1
    assert world.database.weather == Weather()


# The way of a call


@pytest.mark.parametrize(
    ("fault", "codes", "took_effect"),
    [
        (
            "throttle",
            {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"},
            False,
        ),
        ("server_error", {"InternalServerError", "ServiceUnavailable"}, False),
        ("server_error_after", {"InternalServerError", "ServiceUnavailable"}, True),
        ("lost_request", {"lost"}, False),
        ("lost_reply", {"lost"}, True),
        ("transaction_conflict", {"TransactionConflictException"}, False),
    ],
)
def test_a_call_that_fails_has_its_effect_or_not(fault, codes, took_effect):
    """
    What is refused has no effect; what a 5xx or a broken connection leaves open may have had it.
    """
    world = World(**{fault: 1})

    assert {code_of(world.put, str(number)) for number in range(30)} == codes
    assert world.database.met[fault] == 30

    world.database.weather = Weather()
    assert world.get("7") == ("red" if took_effect else None)


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        ("transaction_conflict", {"None", "TransactionConflict"}),
        ("throttle", {"None", "ProvisionedThroughputExceeded", "ThrottlingError"}),
    ],
)
def test_a_refused_transaction_has_a_reason_for_every_action(fault, reasons):
    """
    One reason for each action, at least one of them the fault's, and nothing is written.
    """
    world = World(**{fault: 1})
    seen = set()
    for _ in range(30):
        with pytest.raises(ClientError) as refused:
            world.transact("a", "b", "c")
        given = [reason["Code"] for reason in refused.value.response.get("CancellationReasons", [])]
        if given:
            assert len(given) == 3
            assert set(given) != {"None"}
        seen.update(given)

    world.database.weather = Weather()
    assert seen == reasons
    assert world.scanned() == []


def test_a_stream_is_throttled_in_its_own_words():
    """
    The streams service has other codes than the tables' service.
    """
    world = World(throttle=1)

    codes = {code_of(world.shards) for _ in range(30)}

    assert codes == {"LimitExceededException", "ThrottlingException"}


def test_a_reply_cut_short_lacks_its_members():
    """
    It looks as botocore returns it: no error, and none of the members.
    """
    world = World(cut_short=1)
    assert set(world.client.scan(TableName="things")) == {"ResponseMetadata"}
    assert set(world.streams.list_streams()) == {"ResponseMetadata"}
    assert world.database.met["cut_short"] == 2


def test_the_set_up_meets_no_faults():
    """
    Tables can be made in any weather.
    """
    world = World(throttle=1, server_error=1, lost_reply=1, lost_request=1)

    world.client.delete_table(TableName="rest")

    assert world.client.list_tables()["TableNames"] == ["things"]


# Batches and pages


def test_a_part_of_a_batch_stays_unprocessed():
    """
    Repeating what comes back ends with everything written, and everything read.
    """
    world = World(unprocessed=0.7)
    names = [f"n{number:02}" for number in range(25)]
    wanted = {"things": [{"PutRequest": {"Item": item(name, "red")}} for name in names]}
    rounds = 0
    while wanted:
        wanted = world.client.batch_write_item(RequestItems=wanted)["UnprocessedItems"]
        rounds += 1
    keys = {"things": {"Keys": [{"id": {"S": name}} for name in names], "ConsistentRead": True}}
    found = []
    while keys:
        reply = world.client.batch_get_item(RequestItems=keys)
        found += [one["id"]["S"] for one in reply["Responses"]["things"]]
        keys = reply["UnprocessedKeys"]

    assert sorted(found) == names == world.scanned()
    assert rounds > 1
    assert world.database.met["unprocessed"] >= 2


def test_pages_end_early_and_lead_on():
    """
    Following LastEvaluatedKey gives every item once.
    """
    world = World(short_page=0.8)
    names = [f"n{number:02}" for number in range(60)]
    for name in names:
        world.put(name)

    assert world.scanned() == names
    assert world.database.met["short_page"] > 3


@pytest.mark.parametrize("most", [1, 3])
def test_a_page_of_few_items_is_full(most):
    """
    No page of a table, an index, a batch or a listing holds more; following each gives every item once.
    """
    world = World(page_items_max=most)
    names = [f"n{number:02}" for number in range(7)]
    for name in names:
        world.put(name)
    world.database.rotate_shards("things")
    place = {"KeyConditionExpression": "colour = :red", "ExpressionAttributeValues": {":red": {"S": "red"}}}
    by_colour = {"TableName": "things", "IndexName": "by-colour", **place}

    assert world.scanned() == names
    assert len(world.client.scan(TableName="things", Limit=5)["Items"]) == most
    assert len(world.client.query(**by_colour)["Items"]) == most
    batch = {"things": {"Keys": [{"id": {"S": name}} for name in ["absent", *names]]}}
    reply = world.client.batch_get_item(RequestItems=batch)
    assert len(reply["Responses"]["things"]) == most
    assert len(reply["UnprocessedKeys"]["things"]["Keys"]) == len(names) - most
    described = world.streams.describe_stream(StreamArn=world.arn)["StreamDescription"]
    assert len(described["Shards"]) == min(most, 2)
    assert ("LastEvaluatedShardId" in described) == (most == 1)
    listed = world.streams.list_streams()
    assert len(listed["Streams"]) == min(most, 2)
    assert ("LastEvaluatedStreamArn" in listed) == (most == 1)


# What a read sees


def test_a_transaction_under_way_is_seen_item_by_item():
    """
    A plain read sees some items after it and some before, a whole read all or nothing; with the reply all is readable.
    """
    passage = AsksBetween()
    world = World(passage=passage, hide_transaction=1)
    seen, whole = Counter(), Counter()

    def look():
        seen["".join(world.get(name) or "-" for name in "abc")] += 1
        keys = [{"Get": {"TableName": "things", "Key": {"id": {"S": name}}}} for name in "abc"]
        try:
            reply = world.client.transact_get_items(TransactItems=keys)
            whole["".join(one["Item"]["colour"]["S"] for one in reply["Responses"])] += 1
            assert [world.get(name) for name in "abc"] == [passage.colour] * 3, "nothing goes back"
        except world.client.exceptions.TransactionCanceledException as refused:
            whole["conflict"] += "TransactionConflict" in {
                one["Code"] for one in refused.response["CancellationReasons"]
            }

    passage.look = look
    before = "-"
    for number in range(60):
        passage.colour = str(number % 10)
        world.transact("a", "b", "c", colour=passage.colour)
        assert [world.get(name) for name in "abc"] == [passage.colour] * 3, "the reply was handed over"
        for state, times in seen.items():
            assert times == 1
            assert set(state) <= {before, passage.colour}
            assert state != passage.colour * 3, "something was hidden"
        before = passage.colour
        seen.clear()

    assert whole["conflict"] > 5
    assert sum(whole.values()) - whole["conflict"] > 5
    assert world.database.met["hide_transaction"] > 60


def test_an_observer_sees_what_is_there():
    """
    Whoever checks the world reads its tables as they are, and is not counted.
    """
    world = World(seed=2, throttle=1, stale_read=1, hide_transaction=1)
    world.database.weather = Weather(stale_read=1, hide_transaction=1, lost_reply=1)
    assert code_of(world.transact, "a") == "lost"
    met = world.database.met
    observer = world.database.observer()

    assert [one["id"]["S"] for one in observer.scan(TableName="things")["Items"]] == ["a"]
    assert "Item" in observer.get_item(TableName="things", Key={"id": {"S": "a"}})
    assert world.database.met == met


def test_queries_and_scans_do_not_see_it_either():
    """
    All plain reads agree about each item, consistent ones too.
    """
    passage = AsksBetween()
    world = World(passage=passage, hide_transaction=1)
    world.transact("a", "b", "c", colour="old")
    states = set()

    def look():
        single = [name for name in "abcd" if world.get(name) == "new"]
        scan = world.client.scan(TableName="things", ConsistentRead=True)["Items"]
        keys = [{"id": {"S": name}} for name in "abcd"]
        batch = world.client.batch_get_item(RequestItems={"things": {"Keys": keys, "ConsistentRead": True}})
        assert sorted(one["id"]["S"] for one in scan if one["colour"]["S"] == "new") == single
        batch_items = batch["Responses"]["things"]
        assert sorted(one["id"]["S"] for one in batch_items if one["colour"]["S"] == "new") == single
        for name in "abcd":
            found = world.client.query(
                TableName="things",
                KeyConditionExpression="id = :i",
                ExpressionAttributeValues={":i": {"S": name}},
                ConsistentRead=True,
            )["Items"]
            assert [one["colour"]["S"] for one in found if one["colour"]["S"] == "new"] == ["new"] * (name in single)
        states.add("".join(single))

    passage.look = look
    for _ in range(20):
        world.transact("a", "b", "c", "d", colour="new")
        world.transact("a", "b", "c", colour="old")
        world.client.delete_item(TableName="things", Key={"id": {"S": "d"}})

    assert len(states) > 4
    assert world.scanned() == ["a", "b", "c"]


def test_an_item_under_way_refuses_writes_and_its_token_waits():
    """
    After a lost reply its repeat has to wait and foreign writes conflict, until the repeat is told that all is stored.
    """
    world = World(seed=2)
    world.database.weather = Weather(hide_transaction=1, hide_ms_max=500, lost_reply=1)
    assert code_of(world.transact, "a", repeatable_as="t") == "lost"
    world.database.weather = Weather(hide_ms_max=500)

    assert world.get("a") is None
    assert code_of(world.transact, "a", repeatable_as="t") == "TransactionInProgressException"
    assert code_of(world.put, "a", "blue") == "TransactionConflictException"
    assert code_of(world.transact, "b", "a", repeatable_as="u") == "TransactionCanceledException"
    batch = {"things": [{"PutRequest": {"Item": item("a", "blue")}}]}
    assert world.client.batch_write_item(RequestItems=batch)["UnprocessedItems"] == batch
    assert world.records() == [], "no record before the item"

    world.clock.ms += 500
    assert world.get("a") == "red"
    assert code_of(world.transact, "a", repeatable_as="t") is None
    assert world.records() == [("a", "red")]


def test_an_eventual_read_is_stale_for_a_bounded_time():
    """
    Consistent reads and conditions see each write at once; eventual ones after a while at the latest.
    """
    world = World(stale_read=1, stale_ms_max=300)
    world.put("a", "old")
    world.put("a", "new")

    assert world.get("a") == "new"
    assert world.get("a", consistent=False) is None
    assert world.scanned(consistent=False) == []
    assert world.scanned() == ["a"]
    world.clock.ms += 300
    assert world.get("a", consistent=False) == "new"
    assert world.database.met["stale_read"] == 2


def test_an_index_follows_late_and_in_another_order():
    """
    What was written first may come last; changes of one item keep their order, and the index ends as the table is.
    """
    world = World(delay_index=0.8, index_delay_ms_max=1000)
    names = [f"n{number:02}" for number in range(20)]
    for turn in ("red", "green", "blue"):
        for name in names:
            world.put(name, turn)
    orders = []
    for _ in range(1000):
        world.clock.ms += 1
        orders.append(tuple(world.coloured("blue")))

    assert len(orders[0]) < 20
    assert any(list(order) != names[: len(order)] for order in orders), "not in the order of the writes"
    assert all(set(earlier) <= set(later) for earlier, later in pairwise(orders))
    assert orders[-1] == tuple(names)
    assert (world.coloured("red"), world.coloured("green")) == ([], [])


def test_an_index_shows_nothing_before_it_is_readable_also_when_a_feed_is_closed():
    """
    Closing a feed brings on what is late; what was hidden can be read by then.
    """
    world = World(hide_transaction=1, lost_reply=1)
    with pytest.raises(ConnectionClosedError):
        world.transact("a", "b", "c")
    world.database.weather = Weather()
    assert len(world.scanned()) < 3, "something is hidden"
    world.client.update_table(TableName="rest", StreamSpecification={"StreamEnabled": False})

    assert world.coloured("red") == world.scanned() == ["a", "b", "c"]


# The feed


def of_item(records, name):
    return [colour for one, colour in records if one == name]


def test_the_records_of_a_transaction_are_swapped():
    """
    Within a transaction any order may come; each transaction comes whole before the next.
    """
    world = World(swap_records=1)
    for colour in "123456":
        world.transact("a", "b", "c", colour=colour)
    records = world.records()

    assert [colour for _, colour in records] == list("111222333444555666")
    assert len({tuple(name for name, _ in records[at : at + 3]) for at in range(0, 18, 3)}) > 1
    assert world.database.met["swap_records"] == 6


def test_a_held_record_comes_behind_those_of_other_items_and_not_of_its_own():
    """
    Every record comes, once, within the bound, and each item's in the order of its changes.
    """
    world = World(hold_record=0.5, hold_ms_max=100)
    written = []
    for turn in range(10):
        for name in "abcde":
            world.put(name, str(turn))
            written.append((name, str(turn)))
            world.clock.ms += 3
    world.clock.ms += 100
    records = world.records()

    assert records != written
    assert sorted(records) == sorted(written)
    for name in "abcde":
        assert of_item(records, name) == [str(turn) for turn in range(10)]


def test_shards_split_and_rotate_and_each_item_keeps_its_order():
    """
    Whoever reads parents before children meets each item's changes in order, whatever the shards do.
    """
    world = World(split_shard=0.05, rotate_shards=0.05, shards_open_max=4)
    for turn in range(20):
        for name in "abcde":
            world.put(name, str(turn))
    records = world.records()  # listed oldest first, and so a parent before its children

    assert len(world.database.open_shard_ids("things")) <= 4
    for name in "abcde":
        assert of_item(records, name) == [str(turn) for turn in range(20)]
    assert world.database.met["split_shard"] > 0
    assert world.database.met["rotate_shards"] > 0


def test_a_new_shard_is_listed_late_and_never_before_its_parent():
    """
    For a bounded time listings, by child too, know nothing of it.
    """
    world = World(list_late=1, list_late_ms_max=400)
    (parent,) = world.database.open_shard_ids("things")
    first = world.database.split_shard("things", parent)
    second = world.database.split_shard("things", first[0])

    assert [shard["ShardId"] for shard in world.listed()] == [parent]
    assert world.shards(ShardFilter={"Type": "CHILD_SHARDS", "ShardId": parent}) == []
    for _ in range(400):
        world.clock.ms += 1
        listed = {shard["ShardId"]: shard.get("ParentShardId") for shard in world.listed()}
        assert all(above is None or above in listed for above in listed.values())
    assert list(listed) == [parent, *first, *second]
    assert world.database.met["list_late"] > 1


def test_an_open_parent_is_listed_with_its_child():
    """
    For a bounded time the parent has no end in the listing, while its child is there.
    """
    world = World(open_parent=1, open_parent_ms_max=400)
    (parent,) = world.database.open_shard_ids("things")
    (child,) = world.database.rotate_shards("things")

    listed = {shard["ShardId"]: "EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in world.listed()}
    assert listed == {parent: False, child: False}
    assert world.pages(parent)[1], "reading it tells the truth"
    world.clock.ms += 400
    assert "EndingSequenceNumber" in world.listed()[0]["SequenceNumberRange"]
    assert world.database.met["open_parent"] == 1


def test_pages_of_a_listing_are_short():
    """
    Following LastEvaluatedShardId gives each shard once, and no page has more than a hundred.
    """
    world = World(short_listing=0.5)
    for _ in range(149):
        world.database.rotate_shards("things")

    ids = [shard["ShardId"] for shard in world.listed()]

    assert len(ids) == len(set(ids)) == 150
    assert ids == sorted(ids)
    assert world.database.met["short_listing"] > 0
    assert len(world.shards()) <= 100


def test_empty_and_short_pages_lead_on():
    """
    A reader that goes on meets every record once, in order.
    """
    world = World(empty_page=0.5, short_feed_page=0.9)
    names = [f"n{number:02}" for number in range(40)]
    for name in names:
        world.put(name)
    (shard,) = world.database.open_shard_ids("things")
    world.database.rotate_shards("things")
    pages, ended = world.pages(shard)

    assert [name for page in pages for name, _ in page] == names
    assert ended
    assert [] in pages
    assert world.database.met["empty_page"] == pages.count([])
    assert world.database.met["short_feed_page"] > 0


@pytest.mark.parametrize(("linger", "counts"), [(0, [3]), (1, [3, 0])])
def test_the_last_records_come_with_an_iterator_or_without(linger, counts):
    """
    A closed shard ends on its last page of records, or on an empty page behind it.
    """
    world = World(linger_at_end=linger)
    for name in "abc":
        world.put(name)
    (shard,) = world.database.open_shard_ids("things")
    world.database.rotate_shards("things")

    pages, ended = world.pages(shard)

    assert ([len(page) for page in pages], ended) == (counts, True)


def test_an_iterator_expires_after_a_quarter_of_an_hour():
    """
    It is good for 15 minutes, and a new one reads on.
    """
    world = World(old_iterator=1)
    world.put("a")
    (shard,) = world.database.open_shard_ids("things")
    place = world.place(shard)

    world.clock.ms += HOUR_MS // 4
    assert code_of(world.streams.get_records, ShardIterator=place) is None
    world.clock.ms += 1
    assert code_of(world.streams.get_records, ShardIterator=place) == "ExpiredIteratorException"
    assert world.records() == [("a", "red")]
    assert world.database.met["old_iterator"] == 1


def test_an_iterator_may_expire_before_its_time():
    """
    Nothing is lost by it: the place can be asked for again.
    """
    world = World(expire_iterator=0.5)
    world.put("a")
    (shard,) = world.database.open_shard_ids("things")
    ends = Counter(code_of(world.streams.get_records, ShardIterator=world.place(shard)) for _ in range(40))

    assert set(ends) == {None, "ExpiredIteratorException"}
    assert world.database.met["expire_iterator"] == ends["ExpiredIteratorException"]


def test_the_feed_is_trimmed_after_a_day():
    """
    Places before the horizon are refused, and a closed shard without records leaves the listing while its child stays.
    """
    world = World(trim=1)
    (parent,) = world.database.open_shard_ids("things")
    world.put("a")
    early = world.place(parent)
    (child,) = world.database.rotate_shards("things")
    world.put("b")
    first = world.streams.get_records(ShardIterator=world.place(child))["Records"][0]["dynamodb"]["SequenceNumber"]
    early_in_child = world.place(child)
    world.clock.ms += 20 * HOUR_MS
    world.put("c")
    assert world.records() == [("a", "red"), ("b", "red"), ("c", "red")]

    world.clock.ms += 4 * HOUR_MS + 1

    assert world.records() == [("c", "red")]
    (listed,) = world.listed()
    assert (listed["ShardId"], listed["ParentShardId"]) == (child, parent)
    assert code_of(world.streams.get_records, ShardIterator=early) == "ResourceNotFoundException"
    assert code_of(world.streams.get_records, ShardIterator=early_in_child) == "TrimmedDataAccessException"
    assert code_of(world.place, child, "AFTER_SEQUENCE_NUMBER", SequenceNumber=first) == "TrimmedDataAccessException"
    assert world.database.met["trim"] == 1


def test_everything_at_once_loses_nothing():
    """
    In rough weather a patient writer and a patient reader end with all items, and with each item's changes in order.
    """
    world = World(seed=11)
    world.database.weather = Weather.rough()

    def patiently(call, *args, **kwargs):
        for _ in range(200):
            world.clock.ms += 50
            if code_of(call, *args, **kwargs) is None:
                return
        raise AssertionError("200 refusals in a row")

    for turn in range(40):
        patiently(world.transact, "a", "b", "c", repeatable_as=f"turn-{turn}", colour=str(turn))
    world.clock.ms += 10_000
    met = world.database.met
    world.database.weather = Weather()

    assert [world.get(name) for name in "abc"] == ["39"] * 3
    assert world.scanned() == ["a", "b", "c"]
    assert world.coloured("39") == ["a", "b", "c"]
    records = world.records()
    for name in "abc":
        assert of_item(records, name) == [str(turn) for turn in range(40)]
    assert sum(met.values()) > 20
