"""The page about messages against the code."""

import json
import re
from pathlib import Path

from relay.destinations.bus import message
from relay.destinations.file import line as file_line
from relay.destinations.resource_names import Names
from relay.testing.commits import commit

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "message-format.md").read_text("utf-8")


def test_every_header_is_documented_and_no_other():
    """The table of headers lists exactly what a message with everything in it has, with the right types."""
    metadata = json.dumps({"correlation_id": "c", "traceparent": "00-a-b-01", "tracestate": "a=1"})
    row = commit("a", metadata_json=metadata)
    assert row.events is not None
    headers = message.encode(row.events[0], "/inventory").headers

    table = PAGE.partition("## Headers")[2].partition("\n## ")[0]
    documented = dict(re.findall(r"^\| `(\w+)` \| (text|number) \|", table, re.MULTILINE))
    assert documented == {name: "number" if isinstance(value, int) else "text" for name, value in headers.items()}


def test_the_names_are_those_of_the_code():
    """Exchanges and queues are called as the page says."""
    names = Names()

    documented = re.findall(r"^\| `(inventory\.[\w-]+)` \|", PAGE, re.MULTILINE)
    assert documented == [names.exchange, names.unrouted, names.dead_letters]


def test_the_example_is_a_message():
    """The headers of the example are those of an event with a correlation id, in their order."""
    row = commit("order-17", 3, metadata_json='{"correlation_id":"checkout-8812"}')
    assert row.events is not None
    encoded = message.encode(row.events[0], "/inventory")

    example = PAGE.partition("## Example")[2].partition("\n## ")[0]
    assert re.findall(r"(cloudEvents_\w+)", example) == list(encoded.headers)


def test_the_example_of_a_line_is_a_line():
    """The attributes of the file's example are those of the code, in their order, and the example is whole."""
    row = commit("order-17", 3)
    assert row.events is not None
    encoded = json.loads(file_line.encode(row.events[0], "/inventory"))

    section = PAGE.partition("## Lines of a file")[2].partition("\n## ")[0]
    (line,) = re.findall(r"^\{.*\}$", section, re.MULTILINE)
    assert list(json.loads(line)) == list(encoded)
    assert line.encode().startswith(file_line.LINE_START)
