"""`relay topology` as a process: what the servers have against what the settings want."""

import pytest

from relay.destinations.bus.rabbitmq import RabbitSettings, open_connection
from tests.support.ports import nobody

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]


@pytest.fixture
def channel(corner):
    connection = open_connection(corner.rabbitmq_url, RabbitSettings())
    yield connection.channel()
    connection.close()


def differences(finished) -> dict[str, list[str]]:
    return {
        each["destination"]: [f"{found['thing']} {found['problem']}" for found in each["differences"]]
        for each in finished.document["data"]["destinations"]
    }


def test_from_nothing_to_as_wanted(terminal, corner):
    """
    A look names what is missing and ends with 1; apply makes it and ends with 0; after that both have nothing to say.
    """
    run = corner.run
    first = terminal.run("relay", "topology", "check", "--json")
    applied = terminal.run("relay", "topology", "apply")
    again = terminal.run_all(
        {
            "json": ["relay", "topology", "check", "--json"],
            "text": ["relay", "topology", "check"],
            "apply": ["relay", "topology", "apply"],
        },
    )

    assert (first.code, first.err) == (1, "")
    assert first.document["status"] == "differs"
    assert differences(first) == {
        "bus": [
            f"exchange {run}.unrouted is missing",
            f"exchange {run}.dead-letters is missing",
            f"exchange {run}.events is missing",
            f"queue {run}.unrouted is missing",
            f"queue {run}.dead-letters is missing",
        ],
        "index": [f"index template {run}-events is missing"],
    }
    assert (applied.code, applied.err) == (0, "")
    assert f"made: exchange {run}.events (is missing)" in applied.out
    assert f"made: index template {run}-events (is missing)" in applied.out
    assert {finished.code for finished in again.values()} == {0}
    assert again["json"].document["status"] == "ok"
    assert differences(again["json"]) == {"bus": [], "index": []}
    for finished in (again["text"], again["apply"]):
        heads = [line for line in finished.out.splitlines() if not line.startswith(" ")]
        assert [head.rpartition(": ")[2] for head in heads] == ["as wanted", "as wanted"]
    assert "guest:guest" not in applied.out + again["text"].out


def test_what_only_a_person_can_mend(terminal, corner, channel):
    """
    An exchange of another type is named with what to do; apply makes the rest, says what is left, and ends with 1.
    """
    channel.exchange_declare(f"{corner.run}.events", "direct", durable=True, auto_delete=False)

    applied = terminal.run("relay", "topology", "apply", "--json")
    channel.exchange_delete(f"{corner.run}.events")
    fixed = terminal.run("relay", "topology", "apply")

    assert applied.code == 1
    assert differences(applied) == {
        "bus": [f"exchange {corner.run}.events has type 'direct', wanted is 'topic'"],
        "index": [],
    }
    (left,) = applied.document["data"]["destinations"][0]["differences"]
    assert left["mended_by"] == "person"
    assert "delete it" in left["advice"]
    assert len(applied.document["data"]["deeds"]) == 5
    assert fixed.code == 0


def test_a_server_out_of_reach_does_not_hide_the_other(terminal, corner):
    """
    What can be looked at is; the error names the server, the exit code is that of the worst.
    """
    with nobody() as port:
        away = terminal.with_settings(RELAY_ELASTICSEARCH_URL=f"http://127.0.0.1:{port}")
        refused = terminal.with_settings(
            RELAY_RABBITMQ_URL=corner.rabbitmq_url.replace("guest:guest@", "guest:hunter2@"),
        )
        out_of_reach = away.run("relay", "topology", "check", "--json")
        text = away.run("relay", "topology", "apply")
        not_let_in = refused.run("relay", "topology", "check")

    assert out_of_reach.code == 3
    assert out_of_reach.document["status"] == "error"
    assert [each["state"] for each in out_of_reach.document["data"]["destinations"]] == ["differs", "unknown"]
    assert f"127.0.0.1:{port}" in out_of_reach.error
    assert text.code == 3
    assert f"made: exchange {corner.run}.events (is missing)" in text.out
    assert not_let_in.code == 2
    assert "check user and password" in not_let_in.error
    assert "hunter2" not in not_let_in.out + not_let_in.err


def test_with_a_file(terminal, tmp_path):
    """
    It is one more destination; apply makes its folder, and what is not a file needs a person.
    """
    path = tmp_path / "deep" / "down" / "events.jsonl"
    missing = terminal.with_settings(RELAY_FILE_PATH=str(path))
    in_the_way = terminal.with_settings(RELAY_FILE_PATH=str(tmp_path))

    first = missing.run("relay", "topology", "check", "--json")
    applied = missing.run("relay", "topology", "apply")
    no_file = in_the_way.run("relay", "topology", "apply", "--json")

    assert first.code == 1
    assert differences(first)["file"] == [f"folder {path.parent} is missing"]
    assert applied.code == 0
    assert path.parent.is_dir()
    assert no_file.code == 1
    assert differences(no_file)["file"] == [f"file {tmp_path} is not a regular file"]
