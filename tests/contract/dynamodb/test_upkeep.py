"""What tools ask for when they set a table up: time to live, backups, tags, limits."""

import pytest

from tests.contract.dynamodb.shapes import THINGS, code, create_things

TAGS_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TagResource.html"
BACKUPS_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeContinuousBackups.html"
pytestmark = pytest.mark.aws_differs(page=TAGS_PAGE, does="takes its time, and an hour between two changes of one kind")


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


class TestTimeToLive:
    """DescribeTimeToLive and UpdateTimeToLive."""

    @staticmethod
    def update(client, attribute="expires", *, enabled=True, table=THINGS):
        specification = {"Enabled": enabled, "AttributeName": attribute}
        return client.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)

    @staticmethod
    def described(client):
        return client.describe_time_to_live(TableName=THINGS)["TimeToLiveDescription"]

    def test_it_is_off_until_it_is_turned_on(self, client):
        """
        By the name of an attribute, and off again.
        """
        assert self.described(client) == {"TimeToLiveStatus": "DISABLED"}
        specification = {"Enabled": True, "AttributeName": "expires"}
        assert self.update(client)["TimeToLiveSpecification"] == specification
        assert self.described(client) == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
        self.update(client, enabled=False)
        assert self.described(client) == {"TimeToLiveStatus": "DISABLED"}

    def test_what_changes_nothing_is_refused(self, client):
        """
        On when it is on, off when it is off, and another attribute meanwhile.
        """
        assert code(lambda: self.update(client, enabled=False)) == "ValidationException"
        self.update(client)
        again = [
            lambda: self.update(client),
            lambda: self.update(client, "other"),
            lambda: self.update(client, "other", enabled=False),
        ]
        assert [code(call) for call in again] == ["ValidationException"] * 3

    @pytest.mark.parametrize("attribute", ["", "x" * 256])
    def test_a_name_has_1_to_255_characters(self, client, attribute):
        """
        As that of a key.
        """
        assert code(lambda: self.update(client, attribute)) == "ValidationException"

    def test_a_missing_table_is_not_found(self, client):
        """
        Neither to ask nor to change.
        """
        assert code(lambda: client.describe_time_to_live(TableName="missing")) == "ResourceNotFoundException"
        assert code(lambda: self.update(client, table="missing")) == "ResourceNotFoundException"


@pytest.mark.local_differs(page=BACKUPS_PAGE, does="knows no backups")
class TestContinuousBackups:
    """DescribeContinuousBackups and UpdateContinuousBackups."""

    @staticmethod
    def recovery(reply):
        assert reply["ContinuousBackupsDescription"]["ContinuousBackupsStatus"] == "ENABLED"
        return reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]

    def test_recovery_is_off_until_it_is_turned_on(self, client):
        """
        For 35 days unless fewer are asked for.
        """
        table = {"TableName": THINGS}
        assert self.recovery(client.describe_continuous_backups(**table)) == {"PointInTimeRecoveryStatus": "DISABLED"}
        on = {"PointInTimeRecoveryEnabled": True}
        client.update_continuous_backups(**table, PointInTimeRecoverySpecification=on)
        found = self.recovery(client.describe_continuous_backups(**table))
        assert (found["PointInTimeRecoveryStatus"], found["RecoveryPeriodInDays"]) == ("ENABLED", 35)
        assert found["EarliestRestorableDateTime"] <= found["LatestRestorableDateTime"]
        off = {"PointInTimeRecoveryEnabled": False}
        reply = client.update_continuous_backups(**table, PointInTimeRecoverySpecification=off)
        assert self.recovery(reply) == {"PointInTimeRecoveryStatus": "DISABLED"}

    def test_a_missing_table_is_not_found(self, client):
        """
        Under a code of its own.
        """
        assert code(lambda: client.describe_continuous_backups(TableName="missing")) == "TableNotFoundException"


@pytest.mark.local_differs(page=TAGS_PAGE, does="knows no tags")
class TestTags:
    """TagResource, UntagResource and ListTagsOfResource."""

    @staticmethod
    def arn(client):
        return client.describe_table(TableName=THINGS)["Table"]["TableArn"]

    def tags(self, client):
        return {tag["Key"]: tag["Value"] for tag in client.list_tags_of_resource(ResourceArn=self.arn(client))["Tags"]}

    def test_tags_come_and_go(self, client):
        """
        A key has one value, the last; what is not there is removed without a word.
        """
        arn = self.arn(client)
        assert self.tags(client) == {}
        client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": ""}])
        client.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"}])
        assert self.tags(client) == {"team": "b", "stage": ""}
        client.untag_resource(ResourceArn=arn, TagKeys=["stage", "absent"])
        assert self.tags(client) == {"team": "b"}

    def test_a_table_can_be_made_with_tags(self, client):
        """
        They are those that are listed.
        """
        client.delete_table(TableName=THINGS)
        create_things(client, Tags=[{"Key": "team", "Value": "a"}])

        assert self.tags(client) == {"team": "a"}

    @pytest.mark.parametrize(
        "tags",
        [
            pytest.param([], id="none"),
            pytest.param([{"Key": "k" * 129, "Value": "v"}], id="long-key"),
            pytest.param([{"Key": "", "Value": "v"}], id="empty-key"),
            pytest.param([{"Key": "k", "Value": "v" * 257}], id="long-value"),
            pytest.param([{"Key": f"k{number}", "Value": "v"} for number in range(51)], id="51"),
        ],
    )
    def test_unfit_tags_are_refused(self, client, tags):
        """
        1 to 50, keys of 1 to 128 characters, values of up to 256.
        """
        assert code(lambda: client.tag_resource(ResourceArn=self.arn(client), Tags=tags)) == "ValidationException"
        assert self.tags(client) == {}

    def test_an_address_of_nothing_is_refused(self, client):
        """
        One that is none, and one of a table that is not there.
        """
        missing = f"{self.arn(client)}-more"
        assert code(lambda: client.list_tags_of_resource(ResourceArn="nonsense")) == "ValidationException"
        assert code(lambda: client.list_tags_of_resource(ResourceArn=missing)) == "ResourceNotFoundException"


def test_limits_are_told(client):
    """
    Those of a new account.
    """
    limits = client.describe_limits()

    assert limits["AccountMaxReadCapacityUnits"] >= limits["TableMaxReadCapacityUnits"] > 0
    assert limits["AccountMaxWriteCapacityUnits"] >= limits["TableMaxWriteCapacityUnits"] > 0
