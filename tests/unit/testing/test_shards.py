"""Shards of a feed: lineage, splits, rotation, and reading to the end."""

from collections import Counter

import pytest
from botocore.exceptions import ClientError

from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb.faults.weather import DAY_MS

NAMES = [f"name-{number}" for number in range(64)]


class Feed:
    """A table with a stream, read shard by shard."""

    def __init__(self, shard_count: int = 1, **options) -> None:
        self.world = InMemoryDynamoDB(shard_count=shard_count, **options)
        self.client = self.world.client()
        self.streams = self.world.streams_client()
        self.client.create_table(
            TableName="things",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        self.arn = self.client.describe_table(TableName="things")["Table"]["LatestStreamArn"]

    def put(self, *names: str, round_: int = 0) -> None:
        for name in names:
            self.client.put_item(TableName="things", Item={"id": {"S": name}, "turn": {"N": str(round_)}})

    def shards(self, **request):
        return self.streams.describe_stream(StreamArn=self.arn, **request)["StreamDescription"]["Shards"]

    def place(self, shard_id, kind="TRIM_HORIZON", **further):
        return self.streams.get_shard_iterator(StreamArn=self.arn, ShardId=shard_id, ShardIteratorType=kind, **further)[
            "ShardIterator"
        ]

    def read(self, shard_id, limit=1000):
        """Return the names in a shard up to now, and whether the shard was finished."""
        names, place = [], self.place(shard_id)
        for _ in range(1000):
            reply = self.streams.get_records(ShardIterator=place, Limit=limit)
            names += [record["dynamodb"]["Keys"]["id"]["S"] for record in reply["Records"]]
            place = reply.get("NextShardIterator")
            if place is None or not reply["Records"]:
                break
        return names, place is None


def test_a_feed_starts_with_the_shards_it_was_given():
    """
    Four root shards share the keys; each record lies in exactly one.
    """
    feed = Feed(shard_count=4)
    feed.put(*NAMES)

    shards = feed.shards()
    found = [feed.read(shard["ShardId"])[0] for shard in shards]

    assert len(shards) == 4
    assert all("ParentShardId" not in shard for shard in shards)
    assert Counter(name for names in found for name in names) == Counter(NAMES)
    assert all(found), "64 names fall into all four shards"


def test_records_of_one_key_stay_in_one_shard_in_order():
    """
    However many shards there are, the changes of one item come in one of them, in order.
    """
    feed = Feed(shard_count=3)
    for turn in range(5):
        feed.put(*NAMES[:10], round_=turn)

    for shard in feed.shards():
        place = feed.place(shard["ShardId"])
        records = feed.streams.get_records(ShardIterator=place)["Records"]
        for name in {record["dynamodb"]["Keys"]["id"]["S"] for record in records}:
            turns = [
                record["dynamodb"]["NewImage"]["turn"]["N"]
                for record in records
                if record["dynamodb"]["Keys"]["id"]["S"] == name
            ]
            assert turns == ["0", "1", "2", "3", "4"]


def test_a_split_closes_the_parent_and_shares_its_keys():
    """
    What was written before lies in the parent, what comes later in the children, by key.
    """
    feed = Feed()
    feed.put(*NAMES, round_=1)
    (parent,) = feed.world.open_shard_ids("things")

    children = feed.world.split_shard("things", parent)
    feed.put(*NAMES, round_=2)

    assert feed.world.open_shard_ids("things") == children
    assert feed.read(parent) == (NAMES, True)
    (first, first_ended), (second, second_ended) = (feed.read(child) for child in children)
    assert sorted(first + second) == sorted(NAMES)
    assert first
    assert second
    assert not first_ended
    assert not second_ended


def test_the_description_tells_the_lineage():
    """
    Children name their parent; closed shards have a last position, and children begin behind it.
    """
    feed = Feed()
    feed.put("a")
    (parent,) = feed.world.open_shard_ids("things")
    children = feed.world.split_shard("things", parent)

    described = {shard["ShardId"]: shard for shard in feed.shards()}

    assert list(described) == [parent, *children]
    assert [described[child]["ParentShardId"] for child in children] == [parent, parent]
    ending = int(described[parent]["SequenceNumberRange"]["EndingSequenceNumber"])
    for child in children:
        positions = described[child]["SequenceNumberRange"]
        assert int(positions["StartingSequenceNumber"]) > ending
        assert "EndingSequenceNumber" not in positions


def test_rotation_gives_each_open_shard_one_child():
    """
    Two open shards become two others, each with the keys of its parent.
    """
    feed = Feed(shard_count=2)
    feed.put(*NAMES)
    parents = feed.world.open_shard_ids("things")

    children = feed.world.rotate_shards("things")
    feed.put(*NAMES, round_=1)

    assert feed.world.open_shard_ids("things") == children
    for parent, child in zip(parents, children, strict=True):
        assert [shard["ShardId"] for shard in feed.shards(ShardFilter=child_filter(parent))] == [child]
        assert feed.read(parent) == (feed.read(child)[0], True)


def child_filter(parent):
    return {"Type": "CHILD_SHARDS", "ShardId": parent}


def test_an_empty_closed_shard_ends_at_once():
    """
    Its first page has neither records nor a NextShardIterator, from either end.
    """
    feed = Feed()
    (shard,) = feed.world.open_shard_ids("things")
    feed.world.rotate_shards("things")

    for kind in ("TRIM_HORIZON", "LATEST"):
        reply = feed.streams.get_records(ShardIterator=feed.place(shard, kind))
        assert (reply["Records"], "NextShardIterator" in reply) == ([], False)


@pytest.mark.parametrize(("limit", "pages"), [(1, 3), (2, 2), (3, 1), (1000, 1)])
def test_the_page_that_reaches_the_end_has_no_successor(limit, pages):
    """
    The last records of a closed shard come with no NextShardIterator.
    """
    feed = Feed()
    feed.put("a", "b", "c")
    (shard,) = feed.world.open_shard_ids("things")
    feed.world.rotate_shards("things")

    place, seen = feed.place(shard), []
    while place is not None:
        reply = feed.streams.get_records(ShardIterator=place, Limit=limit)
        seen.append(len(reply["Records"]))
        place = reply.get("NextShardIterator")

    assert len(seen) == pages
    assert sum(seen) == 3
    assert 0 not in seen


def test_an_iterator_taken_before_the_close_reaches_the_end():
    """
    A reader that waits at the tip learns of the close on its next page.
    """
    feed = Feed()
    feed.put("a")
    (shard,) = feed.world.open_shard_ids("things")
    tip = feed.streams.get_records(ShardIterator=feed.place(shard))["NextShardIterator"]
    waiting = feed.streams.get_records(ShardIterator=tip)
    assert (waiting["Records"], "NextShardIterator" in waiting) == ([], True)

    feed.world.rotate_shards("things")

    assert "NextShardIterator" not in feed.streams.get_records(ShardIterator=waiting["NextShardIterator"])


def test_shards_are_listed_in_pages_of_a_hundred():
    """
    After many rotations the listing needs several pages, and gives each shard once, oldest first.
    """
    feed = Feed()
    for _ in range(250):
        feed.world.rotate_shards("things")

    found, start = [], {}
    for _ in range(10):
        description = feed.streams.describe_stream(StreamArn=feed.arn, **start)["StreamDescription"]
        found.append([shard["ShardId"] for shard in description["Shards"]])
        if "LastEvaluatedShardId" not in description:
            break
        start = {"ExclusiveStartShardId": description["LastEvaluatedShardId"]}

    ids = [shard_id for page in found for shard_id in page]
    assert [len(page) for page in found] == [100, 100, 51]
    assert len(set(ids)) == 251
    assert ids == sorted(ids)
    assert ids[-1:] == feed.world.open_shard_ids("things")


def test_a_position_of_another_shard_is_refused():
    """
    A place is asked for in the shard it belongs to.
    """
    feed = Feed()
    feed.put("a")
    (parent,) = feed.world.open_shard_ids("things")
    (child,) = feed.world.rotate_shards("things")
    feed.put("b")
    record = feed.streams.get_records(ShardIterator=feed.place(child))["Records"][0]
    position = record["dynamodb"]["SequenceNumber"]

    feed.place(child, "AT_SEQUENCE_NUMBER", SequenceNumber=position)
    with pytest.raises(ClientError, match="does not lie in the shard"):
        feed.place(parent, "AFTER_SEQUENCE_NUMBER", SequenceNumber=position)


def test_a_table_without_stream_has_no_shards():
    """
    The mistake is named.
    """
    feed = Feed()
    feed.client.update_table(TableName="things", StreamSpecification={"StreamEnabled": False})

    with pytest.raises(ValueError, match="has no stream"):
        feed.world.rotate_shards("things")


class Hands:
    """A clock that is set by hand."""

    def __init__(self):
        self.ms = 1_735_689_600_000

    def now_ms(self):
        return self.ms

    def pass_hours(self, hours):
        self.ms += int(hours * 3_600_000)


def test_records_are_kept_for_as_long_as_was_said():
    """
    Older ones go, the feed goes on, and a place among those that are gone is refused.
    """
    clock = Hands()
    feed = Feed(clock=clock, feed_kept_ms=DAY_MS)
    (shard,) = (one["ShardId"] for one in feed.shards())
    early = feed.place(shard)
    feed.put("a")
    clock.pass_hours(23)
    feed.put("b")
    assert feed.read(shard)[0] == ["a", "b"]

    clock.pass_hours(2)

    assert feed.read(shard)[0] == ["b"]
    with pytest.raises(ClientError, match="TrimmedDataAccessException"):
        feed.streams.get_records(ShardIterator=early)
    feed.put("c")
    assert feed.read(shard)[0] == ["b", "c"]


def test_the_feeds_of_deleted_tables_are_forgotten_in_time():
    """
    They stay readable for as long as was said, and no longer; so whoever makes tables again and again keeps no more.
    """
    clock = Hands()
    feed = Feed(clock=clock, feed_kept_ms=DAY_MS)
    feed.put(*NAMES)
    feed.client.delete_table(TableName="things")
    clock.pass_hours(23)
    assert [stream["StreamArn"] for stream in feed.streams.list_streams()["Streams"]] == [feed.arn]

    clock.pass_hours(2)

    assert feed.streams.list_streams()["Streams"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        feed.streams.describe_stream(StreamArn=feed.arn)


def test_nothing_is_removed_unasked():
    """
    In a test's own process a feed is whole, however much time goes by.
    """
    clock = Hands()
    feed = Feed(clock=clock)
    feed.put("a")
    clock.pass_hours(1000)

    assert feed.read(feed.shards()[0]["ShardId"])[0] == ["a"]
