"""The feed: what changes leave behind, and reading it."""

from datetime import UTC, datetime

import pytest

from tests.contract.dynamodb.shapes import (
    THINGS,
    N,
    S,
    check_action,
    code,
    create_things,
    delete_action,
    iterator,
    key,
    new_token,
    only_shard_id,
    put,
    put_action,
    read_feed,
    reasons,
    stream_arn,
    thing,
    update_action,
)

GET_RECORDS_PAGE = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html"
)  # fmt: skip

UPDATE_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html"
STREAMS_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html"
pytestmark = pytest.mark.aws_differs(
    page=STREAMS_PAGE, does="starts a feed with a shard per partition, and keeps the order of each item only"
)


def streamed(view_type="NEW_AND_OLD_IMAGES"):
    return {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view_type}}


@pytest.fixture
def arn(client):
    """Give the address of the stream of a new table of things."""
    create_things(client, **streamed())
    return stream_arn(client)


@pytest.fixture
def horizon(arn, streams):
    """Give an iterator of the beginning of that stream."""
    return iterator(streams, arn)


def positions(records):
    return [record["dynamodb"]["SequenceNumber"] for record in records]


class TestRecords:
    """What a change leaves behind."""

    def test_insert_modify_remove(self, client, streams, horizon):
        """
        A record tells what happened, to which key, and how the item looked before and after.
        """
        put(client, thing("ann", 1, note=S("a")))
        put(client, thing("ann", 1, note=S("b")))
        client.delete_item(TableName=THINGS, Key=key("ann", 1))

        records = read_feed(streams, horizon, 3)

        assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
        assert [record["dynamodb"]["Keys"] for record in records] == [key("ann", 1)] * 3
        first, second = thing("ann", 1, note=S("a")), thing("ann", 1, note=S("b"))
        assert [record["dynamodb"].get("NewImage") for record in records] == [first, second, None]
        assert [record["dynamodb"].get("OldImage") for record in records] == [None, first, second]

    def test_the_further_members(self, client, streams, horizon):
        """
        Ids differ, sizes count keys and images, times are aware and about now.
        """
        put(client, thing("ann", 1, note=S("a")), thing("ann", 2))

        first, second = read_feed(streams, horizon, 2)

        assert first["eventID"] != second["eventID"]
        assert (first["eventSource"], first["eventVersion"]) == ("aws:dynamodb", "1.1")
        key_bytes = len("owner_id") + len("ann") + len("num") + 2
        assert first["dynamodb"]["SizeBytes"] == 2 * key_bytes + len("note") + len("a")
        assert first["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        created = first["dynamodb"]["ApproximateCreationDateTime"]
        assert abs((datetime.now(UTC) - created).total_seconds()) < 90  # DynamoDB Local rounds to minutes
        assert created.microsecond == 0

    def test_positions_grow(self, client, streams, horizon):
        """
        Positions are decimal texts of 21 to 40 digits, and grow as integers.
        """
        put(client, *(thing("ann", number) for number in range(20)))

        found = positions(read_feed(streams, horizon, 20))

        assert all(text.isdigit() and 21 <= len(text) <= 40 for text in found)
        numbers = [int(text) for text in found]
        assert numbers == sorted(set(numbers))

    def test_what_changes_nothing_leaves_nothing(self, client, streams, horizon):
        """
        Equal puts, updates without effect, deletes of nothing, refused writes and checks leave no record.
        """
        put(client, thing("ann", 1, note=S("a"), amount=N("1.5")))
        put(client, thing("ann", 1, note=S("a"), amount=N("1.50")))
        client.update_item(
            TableName=THINGS,
            Key=key("ann", 1),
            UpdateExpression="SET note = :a",
            ExpressionAttributeValues={":a": S("a")},
        )
        client.delete_item(TableName=THINGS, Key=key("ann", 9))
        assert code(
            lambda: client.delete_item(
                TableName=THINGS, Key=key("ann", 1), ConditionExpression="attribute_not_exists(num)"
            )
        )
        client.transact_write_items(TransactItems=[check_action("ann", 1, "attribute_exists(num)")])
        put(client, thing("end", 1))

        records = read_feed(streams, horizon, 2)

        assert [record["dynamodb"]["Keys"] for record in records] == [key("ann", 1), key("end", 1)]

    @pytest.mark.local_differs(page=UPDATE_PAGE, does="makes an item with nothing but its key, and a record of it")
    def test_removing_from_what_is_absent_leaves_nothing(self, client, streams, horizon):
        """
        Neither an item nor a record, alone and in a transaction.
        """
        client.update_item(TableName=THINGS, Key=key("ann", 1), UpdateExpression="REMOVE note")
        client.transact_write_items(TransactItems=[update_action("ann", 2, "REMOVE note")])
        put(client, thing("ann", 3))

        assert [record["dynamodb"]["Keys"] for record in read_feed(streams, horizon, 1)] == [key("ann", 3)]

    def test_a_transaction_leaves_one_record_per_change(self, client, streams, horizon):
        """
        Each changed item has a record; a cancelled transaction has none, a repeat no second one.
        """
        put(client, thing("ann", 1), thing("ann", 2))
        actions = [
            put_action(thing("bob", 1)),
            update_action("ann", 1, "SET note = :v", ExpressionAttributeValues={":v": S("x")}),
            delete_action("ann", 2),
        ]

        token = new_token()
        for _ in range(2):
            client.transact_write_items(TransactItems=actions, ClientRequestToken=token)
        assert reasons(
            lambda: client.transact_write_items(
                TransactItems=[put_action(thing("bob", 2)), check_action("bob", 3, "attribute_exists(num)")]
            )
        )
        put(client, thing("end", 1))

        records = read_feed(streams, horizon, 6)[2:]

        assert sorted((record["eventName"], str(record["dynamodb"]["Keys"])) for record in records[:-1]) == sorted(
            [("INSERT", str(key("bob", 1))), ("MODIFY", str(key("ann", 1))), ("REMOVE", str(key("ann", 2)))]
        )
        assert records[-1]["dynamodb"]["Keys"] == key("end", 1)

    def test_a_batch_leaves_records_too(self, client, streams, horizon):
        """
        Batched writes are writes.
        """
        client.batch_write_item(RequestItems={THINGS: [{"PutRequest": {"Item": thing("ann", 1)}}]})

        assert [record["eventName"] for record in read_feed(streams, horizon, 1)] == ["INSERT"]


@pytest.mark.parametrize(
    ("view_type", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_the_view_type_chooses_the_images(client, streams, view_type, images):
    """
    A record has the keys, and the images that the stream was made for.
    """
    create_things(client, **streamed(view_type))
    horizon = iterator(streams, stream_arn(client))
    put(client, thing("ann", 1, note=S("a")), thing("ann", 1, note=S("b")))

    record = read_feed(streams, horizon, 2)[1]["dynamodb"]

    assert {name for name in record if name.endswith("Image")} == images
    assert record["Keys"] == key("ann", 1)
    assert record["StreamViewType"] == view_type


class TestReading:
    """Iterators and pages."""

    def test_pages_join_without_gap_or_repeat(self, client, streams, horizon):
        """
        NextShardIterator leads from page to page; an open shard always has one.
        """
        put(client, *(thing("ann", number) for number in range(7)))
        read_feed(streams, horizon, 7)

        place, pages = horizon, []
        for _ in range(4):
            reply = streams.get_records(ShardIterator=place, Limit=3)
            pages.append([record["dynamodb"]["Keys"]["num"]["N"] for record in reply["Records"]])
            place = reply["NextShardIterator"]

        assert pages == [["0", "1", "2"], ["3", "4", "5"], ["6"], []]

    def test_an_iterator_can_be_used_again(self, client, streams, horizon):
        """
        A place is a place: reading from it twice gives the same.
        """
        put(client, thing("ann", 1))
        assert positions(read_feed(streams, horizon, 1)) == positions(read_feed(streams, horizon, 1))

    def test_reading_from_a_position(self, client, streams, horizon, arn):
        """
        AT gives the record at a position first, AFTER the one behind it.
        """
        put(client, *(thing("ann", number) for number in range(4)))
        found = positions(read_feed(streams, horizon, 4))

        at = iterator(streams, arn, "AT_SEQUENCE_NUMBER", SequenceNumber=found[1])
        after = iterator(streams, arn, "AFTER_SEQUENCE_NUMBER", SequenceNumber=found[1])

        assert positions(streams.get_records(ShardIterator=at)["Records"]) == found[1:]
        assert positions(streams.get_records(ShardIterator=after)["Records"]) == found[2:]

    def test_latest_sees_only_what_comes_later(self, client, streams, horizon, arn):
        """
        LATEST passes over what is there.
        """
        put(client, thing("ann", 1))
        read_feed(streams, horizon, 1)
        place = iterator(streams, arn, "LATEST")
        put(client, thing("ann", 2))

        records = read_feed(streams, place, 1)

        assert [record["dynamodb"]["Keys"] for record in records] == [key("ann", 2)]

    def test_a_page_has_at_most_a_thousand_records(self, client, streams, horizon):
        """
        More than 1,000 cannot be asked for, and are not given.
        """
        for start in range(0, 1050, 25):
            requests = [{"PutRequest": {"Item": thing("ann", number)}} for number in range(start, start + 25)]
            client.batch_write_item(RequestItems={THINGS: requests})
        assert len(read_feed(streams, horizon, 1050)) == 1050

        assert len(streams.get_records(ShardIterator=horizon)["Records"]) == 1000
        assert code(lambda: streams.get_records(ShardIterator=horizon, Limit=1001)) == "ValidationException"
        assert code(lambda: streams.get_records(ShardIterator=horizon, Limit=0)) == "ValidationException"

    @pytest.mark.local_differs(page=GET_RECORDS_PAGE, does="gives more than 1 MB a page")
    def test_a_page_has_at_most_one_megabyte(self, client, streams, horizon):
        """
        1 MB of records, or 1,000 of them, whichever comes first.
        """
        put(client, *(thing("ann", number, body=S("x" * 300_000)) for number in range(6)))
        assert len(read_feed(streams, horizon, 6)) == 6

        assert len(streams.get_records(ShardIterator=horizon)["Records"]) == 3

    @pytest.mark.parametrize(
        "request_",
        [
            pytest.param({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}, id="no-position"),
            pytest.param({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "12"}, id="short-position"),
            pytest.param({"ShardIteratorType": "LATEST", "SequenceNumber": "1" * 21}, id="needless-position"),
        ],
    )
    def test_an_unfit_place_is_refused(self, streams, request_, arn):
        """
        A position goes with AT and AFTER, and has 21 digits or more.
        """
        shard_id = only_shard_id(streams, arn)

        assert code(lambda: streams.get_shard_iterator(StreamArn=arn, ShardId=shard_id, **request_)) == (
            "ValidationException"
        )

    def test_what_is_not_there_is_not_found(self, streams, arn):
        """
        Streams and shards that do not exist are a ResourceNotFoundException, nonsense is a ValidationException.
        """
        shard_id = only_shard_id(streams, arn)
        beginning = {"ShardIteratorType": "TRIM_HORIZON"}

        assert [
            code(lambda: streams.describe_stream(StreamArn=f"{arn}9")),
            code(lambda: streams.get_shard_iterator(StreamArn=f"{arn}9", ShardId=shard_id, **beginning)),
            code(lambda: streams.get_shard_iterator(StreamArn=arn, ShardId=f"{shard_id}9", **beginning)),
            code(lambda: streams.get_records(ShardIterator="nonsense")),
        ] == ["ResourceNotFoundException"] * 3 + ["ValidationException"]


class TestStreams:
    """Turning a stream on and off, and describing it."""

    @pytest.mark.own_database
    def test_a_stream_is_listed_and_described(self, client, streams):
        """
        List, description and table agree on the stream.
        """
        create_things(client, **streamed("NEW_IMAGE"))

        arn = stream_arn(client)
        table = client.describe_table(TableName=THINGS)["Table"]
        description = streams.describe_stream(StreamArn=arn)["StreamDescription"]

        (listed,) = streams.list_streams(TableName=THINGS)["Streams"]
        assert table["LatestStreamArn"] == listed["StreamArn"] == arn
        assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        assert description["StreamArn"] == arn
        assert description["StreamLabel"] == table["LatestStreamLabel"] == arn.rpartition("/")[2]
        assert description["StreamStatus"] == "ENABLED"
        assert description["StreamViewType"] == "NEW_IMAGE"
        assert description["TableName"] == THINGS
        assert description["KeySchema"] == table["KeySchema"]
        (shard,) = description["Shards"]
        assert 28 <= len(shard["ShardId"]) <= 65
        assert "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        assert "ParentShardId" not in shard
        assert "LastEvaluatedShardId" not in description

    @pytest.mark.own_database
    def test_a_table_without_stream_has_none(self, client, streams):
        """
        No stream is listed, and the table does not speak of one.
        """
        create_things(client)

        assert streams.list_streams(TableName=THINGS)["Streams"] == []
        table = client.describe_table(TableName=THINGS)["Table"]
        assert not {"LatestStreamArn", "StreamSpecification"} & set(table)

    def test_shards_are_listed_in_pages_and_by_parent(self, client, streams):
        """
        Listing goes on behind a shard, and can be narrowed to its children.
        """
        create_things(client, **streamed())
        arn = stream_arn(client)
        shard_id = only_shard_id(streams, arn)

        behind = streams.describe_stream(StreamArn=arn, ExclusiveStartShardId=shard_id)
        children = streams.describe_stream(StreamArn=arn, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": shard_id})

        assert behind["StreamDescription"]["Shards"] == []
        assert children["StreamDescription"]["Shards"] == []
        assert code(lambda: streams.describe_stream(StreamArn=arn, Limit=101)) == "ValidationException"

    def test_a_closed_stream_can_be_read_to_its_end(self, client, streams):
        """
        After the stream is turned off its shard is closed: the last page has no NextShardIterator.
        """
        create_things(client, **streamed())
        put(client, *(thing("ann", number) for number in range(3)))
        arn = stream_arn(client)
        place = iterator(streams, arn)
        assert len(read_feed(streams, place, 3)) == 3

        client.update_table(TableName=THINGS, StreamSpecification={"StreamEnabled": False})
        put(client, thing("ann", 9))
        description = streams.describe_stream(StreamArn=arn)["StreamDescription"]
        first = streams.get_records(ShardIterator=place, Limit=2)
        last = streams.get_records(ShardIterator=first["NextShardIterator"], Limit=2)

        assert description["StreamStatus"] == "DISABLED"
        assert "EndingSequenceNumber" in description["Shards"][0]["SequenceNumberRange"]
        assert (len(first["Records"]), len(last["Records"])) == (2, 1)
        assert "NextShardIterator" not in last

    @pytest.mark.own_database
    def test_a_new_stream_has_a_new_address(self, client, streams):
        """
        Turned on again, the table has another stream, which the table names as its latest.
        """
        create_things(client, **streamed())
        first = stream_arn(client)
        client.update_table(TableName=THINGS, StreamSpecification={"StreamEnabled": False})

        client.update_table(TableName=THINGS, **streamed("KEYS_ONLY"))
        put(client, thing("ann", 1))
        listed = {stream["StreamArn"] for stream in streams.list_streams(TableName=THINGS)["Streams"]}
        latest = client.describe_table(TableName=THINGS)["Table"]["LatestStreamArn"]

        assert listed == {first, latest}
        assert latest != first

    def test_on_twice_and_off_twice_are_refused(self, client):
        """
        Only a change is a change.
        """
        create_things(client)
        off = {"StreamSpecification": {"StreamEnabled": False}}

        assert code(lambda: client.update_table(TableName=THINGS, **off)) == "ValidationException"
        client.update_table(TableName=THINGS, **streamed())
        assert code(lambda: client.update_table(TableName=THINGS, **streamed())) == "ValidationException"

    def test_a_stream_outlives_its_table(self, client, streams):
        """
        After the table is deleted its feed can still be read.
        """
        create_things(client, **streamed())
        put(client, thing("ann", 1))
        arn = stream_arn(client)
        place = iterator(streams, arn)
        assert len(read_feed(streams, place, 1)) == 1

        client.delete_table(TableName=THINGS)

        assert streams.describe_stream(StreamArn=arn)["StreamDescription"]["StreamStatus"] == "DISABLED"
        assert len(streams.get_records(ShardIterator=place)["Records"]) == 1
