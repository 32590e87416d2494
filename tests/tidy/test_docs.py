"""The documentation against the code: what a page says must be what the code does today."""

import ast
import contextlib
import inspect
import io
import re
import subprocess
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from pydantic.fields import FieldInfo

import eventstore
from eventstore import AggregateRef, EventStore, NewEvent, RecordedEvent, Repository, SnapshotPolicy, TableNames, errors
from eventstore.backoff import Backoff
from eventstore.cli.output.envelope import ExitCode, exit_code_of
from eventstore.dynamodb import tables
from eventstore.rows.refused import RefusedMark
from eventstore.search.settings import SearchSettings
from eventstore.settings import StoreSettings
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb.operations import OPERATIONS
from eventstore.testing.dynamodb.requests.known import REQUESTS
from relay.delivery.page import Fate
from relay.destination import Park
from relay.destinations.index.holdings import Holding
from relay.leases.fleet import Fleet, FleetSettings, Pause, WorkerRecord, WorkerState, lease_key
from relay.leases.fleet_table import FleetTable
from relay.leases.position import Position
from relay.leases.worker_report import WorkerReport
from relay.metrics import CATALOGUE
from relay.observing import readiness
from relay.operating import audit_trail
from relay.operating.index_memory import IndexMemoryTable
from relay.operating.parked.release import Releaser
from relay.operating.parked.selection import Selection
from relay.outbox.row import RowId
from relay.outbox.writer import OutboxWriter
from relay.settings import RelaySettings
from relay.testing.checker import Promise
from tests.tidy import module_page, pages, sources
from tests.tidy.pages import DOCS, ROOT, all_pages, code, rows

REFERENCE = DOCS / "reference"
PACKAGE_DEPTH = 2
ARCHITECTURE_MAX_BYTES = 16 * 1024
FOLDER_MAX_MODULES = 16

PAGES_WITH_CODE = [page for page in all_pages() if any(block.language == "python" for block in pages.blocks(page))]

REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("repo1", "maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
    )
]
FORBIDDEN = re.compile(
    "|".join([r"(?<![\w.-])/" + r"work/\w", r"(?<![\w.-])/" + r"root/\w", *map(re.escape, REGISTRY_HOSTS)])
)


def name_of(page: Path) -> str:
    """Return a page's path as it is shown in a test's name."""
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=name_of)
def test_python_in_a_page_runs_and_prints_what_the_page_says(page: Path) -> None:
    """Every Python block runs; blocks of one page share a namespace, and a `text` block right below is the output."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in pages.blocks(page):
        if block.language != "python":
            continue
        source = "\n" * (block.line - 1) + block.text  # so that a failure names the line of the page
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, str(page), "exec"), namespace)  # noqa: S102 - our own pages
        if block.output is not None:
            assert printed.getvalue() == block.output


def test_pages_with_code_are_found() -> None:
    """The README's example is among the blocks that run."""
    assert ROOT / "README.md" in PAGES_WITH_CODE


@pytest.mark.parametrize("page", all_pages(), ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """A link to a page, a folder or a heading of this project leads to one that is there."""
    broken = []
    for target in pages.links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        place = (page.parent / path).resolve() if path else page
        if not place.exists() or (anchor and place.suffix == ".md" and anchor not in pages.anchors(place)):
            broken.append(target)
    assert broken == []


def test_every_page_below_docs_is_in_an_index() -> None:
    """A reader who starts at `docs/README.md` can come to every page."""
    linked = {
        (index.parent / target.partition("#")[0]).resolve()
        for index in (DOCS / "README.md", DOCS / "adr" / "README.md")
        for target in pages.links(index)
    }
    assert [name_of(page) for page in DOCS.rglob("*.md") if page not in linked and page != DOCS / "README.md"] == []


def test_no_file_names_a_place_that_users_do_not_have() -> None:
    """No file of the project holds a path of a developer's machine or the host of a package registry."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()
    found = []
    for name in listed:
        path = ROOT / name
        if path.is_file():
            text = path.read_bytes().decode("utf-8", errors="replace")
            found.extend(f"{name}: {hit}" for hit in FORBIDDEN.findall(text))
    assert len(listed) > 100, "the listing is not of this project"
    assert found == []


def test_map_of_modules_is_current() -> None:
    """`docs/reference/modules.md` says what the docstrings say."""
    assert module_page.PAGE.read_text("utf-8") == module_page.text(), f"stale: run `{module_page.COMMAND}`"


def test_every_module_says_what_it_is_for_in_one_line() -> None:
    """The first paragraph of a module's docstring is one line, so that it fits into the map."""
    long = []
    for path, tree in sources.modules(*module_page.PRODUCT):
        summary = (ast.get_docstring(tree) or "").split("\n\n", maxsplit=1)[0]
        if not summary or "\n" in summary:
            long.append(path.relative_to(ROOT).as_posix())
    assert long == []


def test_architecture_has_one_line_for_every_package_and_fits_on_a_few_screens() -> None:
    """`ARCHITECTURE.md` names every package of the first two levels, and is at most 16 KB long."""
    page = ROOT / "ARCHITECTURE.md"
    shown = {code(row["package"])[0] for row in rows(page, "package")}
    there = {
        f"{path.parent.relative_to(ROOT).as_posix()}/"
        for path, _ in sources.modules(*module_page.PRODUCT)
        if path.name == "__init__.py" and len(path.relative_to(ROOT).parts) <= PACKAGE_DEPTH + 1
    }
    assert shown == there
    assert page.stat().st_size <= ARCHITECTURE_MAX_BYTES


def test_no_folder_holds_more_than_a_newcomer_can_look_over() -> None:
    """A folder of product code has at most 16 modules beside its packages."""
    folders = Counter(
        path.parent.relative_to(ROOT).as_posix()
        for path, _ in sources.modules(*module_page.PRODUCT)
        if path.name != "__init__.py"
    )
    assert {folder: count for folder, count in folders.items() if count > FOLDER_MAX_MODULES} == {}


def settings_as_documented() -> dict[str, dict[str, str]]:
    """Return the rows of the settings page, by variable."""
    return {code(row["variable"])[0]: row for row in rows(REFERENCE / "settings.md", "variable")}


def default_as_text(field: FieldInfo) -> str:
    """Return a default as the page writes it."""
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return f"`{field.get_default(call_default_factory=True)}`"
    value = field.default
    if value is None:
        return "unset"
    if isinstance(value, str):
        return f"`{value}`"
    return f"`{value:,}`" if isinstance(value, int) else f"`{value:g}`"


def bounds_as_text(field: FieldInfo) -> str | None:
    """Return the bounds of a number as the page writes them; None when it has none."""
    low = next((each.ge for each in field.metadata if hasattr(each, "ge")), None)
    high = next((each.le for each in field.metadata if hasattr(each, "le")), None)
    return None if low is None or high is None else f"{low:,} to {high:,}"


def test_every_setting_is_documented() -> None:
    """The settings page has the variables that the code reads, and no others."""
    prefixed = {f"EVENTSTORE_{name.upper()}" for name in StoreSettings.model_fields}
    prefixed |= {f"RELAY_{name.upper()}" for name in (*RelaySettings.model_fields, *SearchSettings.model_fields)}
    assert set(settings_as_documented()) == prefixed | sources.named_variables()


@pytest.mark.parametrize("model", [StoreSettings, SearchSettings, RelaySettings])
def test_settings_have_the_documented_default_bounds_and_unit(
    model: type[StoreSettings | SearchSettings | RelaySettings],
) -> None:
    """Default, bounds and unit on the page are those of the code."""
    documented = settings_as_documented()
    for name, field in model.model_fields.items():
        row = documented[f"{model.model_config['env_prefix']}{name.upper()}"]
        assert row["default"] == default_as_text(field), name
        assert bounds_as_text(field) in (None, row["allowed"]), name
        assert (row["unit"] == "s") is name.endswith("_seconds"), name


def test_error_tree_is_documented() -> None:
    """The tree on the errors page is that of the code, classes of the relay included."""
    (drawn,) = (block.text for block in pages.blocks(REFERENCE / "errors.md") if "└" in block.text)
    shown: dict[str, str | None] = {}
    above: list[str] = []
    for line in drawn.splitlines():
        stem = re.match(r"[│ ├└─]*", line)
        assert stem is not None
        depth, name = len(stem[0]) // 4, line[stem.end() :].split()[0]
        above[depth:] = [name]
        shown[name] = above[depth - 1] if depth else None
    assert shown == sources.error_tree()


def test_attributes_of_errors_are_documented() -> None:
    """For every error the page has one row, with the attributes that its constructor sets."""
    attributes = sources.error_attributes()
    shown = {code(row["error"])[0]: set(code(row["attributes"])) for row in rows(REFERENCE / "errors.md", "attributes")}
    assert shown == {name: attributes[name] for name in sources.error_tree()}


def test_exit_codes_are_documented() -> None:
    """The page has the codes of all commands."""
    shown = {int(code(row["code"])[0]) for row in rows(REFERENCE / "exit-codes.md", "code")}
    assert shown == {int(each) for each in ExitCode}


def test_exit_codes_of_errors_are_documented() -> None:
    """Each error of the library ends a command with the code on the page."""
    shown = {
        name: int(code(row["exit code"])[0])
        for row in rows(REFERENCE / "exit-codes.md", "exit code")
        for name in code(row["error"])
    }
    every = {name: value for name, value in vars(errors).items() if inspect.isclass(value) and name.endswith("Error")}
    actual = {name: int(exit_code_of(value.__new__(value))) for name, value in every.items()}
    del actual["EventStoreError"]
    assert shown == actual


def test_log_events_are_documented() -> None:
    """The page has every event that the relay logs, with its levels and keys."""
    shown = {
        code(row["event"])[0]: (set(row["level"].split(", ")), set(code(row["keys"])))
        for row in rows(REFERENCE / "log-events.md", "event")
    }
    fates = {fate.value for fate in Fate}
    assert shown == {
        name: (event.levels, event.keys - {"**"} | (fates if "**" in event.keys else set()))
        for name, event in sources.log_events().items()
    }


def test_metrics_are_documented() -> None:
    """The page has every metric with kind, labels and meaning, in the order in which they are shown, and no others."""
    shown = [
        (code(row["metric"])[0], row["kind"], tuple(code(row["labels"])), row["means"])
        for row in rows(REFERENCE / "metrics.md", "metric")
    ]
    assert shown == [(metric.name, metric.kind.value, metric.labels, metric.means) for metric in CATALOGUE]


def test_labels_of_metrics_are_documented() -> None:
    """The page says what each label can be, and its expressions name metrics that exist."""
    page = REFERENCE / "metrics.md"
    assert {code(row["label"])[0] for row in rows(page, "label")} == {
        label for metric in CATALOGUE for label in metric.labels
    }
    named = {name for row in rows(page, "expression") for name in re.findall(r"relay_\w+", row["expression"])}
    known = {metric.name for metric in CATALOGUE} | {f"{metric.name}_bucket" for metric in CATALOGUE if metric.buckets}
    assert named - known == set()


def test_readiness_checks_are_documented() -> None:
    """The page has the checks of a relay with bus and index, and whether each is required."""
    pumps = [
        SimpleNamespace(name=name, in_order=name == "bus", trouble=None, warning=None) for name in ("bus", "index")
    ]
    flow = SimpleNamespace(held_up=list, count_held_up=dict)
    keeper = SimpleNamespace(
        state=WorkerState.WORKING,
        lease_seconds=10.0,
        seen_seconds_ago=lambda: 0.0,
        held=dict,
        fleet=Fleet,
        waiting_shards=lambda: 0,
        shards_max=16,
    )
    shown = {
        code(row["check"])[0]: row["required"] == "yes" for row in rows(REFERENCE / "health.md", "check", "/readyz")
    }
    checks = readiness.checks(keeper, pumps, flow)  # type: ignore[arg-type]
    assert shown == {check.name: check.required for check in checks}


def counted(number: int, _event: RecordedEvent) -> int:
    return number + 1


@pytest.fixture(scope="module")
def rows_in_tables() -> dict[str, dict[str, set[str]]]:
    """Give what product code leaves in each table: attribute → types, from one row of each kind at least."""
    client, names, runtime = InMemoryDynamoDB().client(), TableNames("t"), SystemRuntime()
    tables.init(client, names, runtime)
    store = EventStore.open(client, names)
    small, large = NewEvent("PLACED", {"quantity": 1}), NewEvent("PLACED", {"text": "x" * 2000})
    rows = [
        RowId(result.aggregate.id, 1, result.commit_id)
        for result in (
            store.append(AggregateRef("Order", "small"), [small], expected_version=0),
            store.append(
                AggregateRef("Order", "large"),
                [large],
                expected_version=0,
                idempotency_key="a key",
                command_fingerprint="a command",
            ),
        )
    ]
    policy = SnapshotPolicy.every(1)
    Repository(store, aggregate_type="Order", initial=0, evolve=counted, snapshots=policy).load("small")
    writer = OutboxWriter(client, names, runtime, Backoff())
    writer.park(rows[0], "bus", Park("a reason", "a_class"))
    writer.note({rows[0]: ["index"]})
    writer.mark_refused(rows[0], "bus", RefusedMark(3, 0, 0, "nack"))
    writer.park(rows[1], "bus", Park("a reason", "a_class"))
    list(Releaser(client, names, runtime, Backoff()).release(Selection("large"), dry_run=False))
    fleet, key = FleetTable(client, names, runtime, Backoff()), lease_key("2025-01-01T00:00:00.000", "shard-1")
    fleet.create_lease(key)
    taken = fleet.take(fleet.look().leases[key], "worker-1")
    assert taken is not None
    fleet.save(key, "worker-1", taken.term, Position(7), finished=False)
    fleet.ask_for(taken, "worker-2")
    fleet.write_worker(WorkerRecord("worker-1", 1, "host", 1, "1.0", 0, 0, WorkerReport()))
    fleet.put_settings(FleetSettings(frozenset({"bus"}), "inventory", 10_000, 1, frozenset({"h:1/v"})), None)
    fleet.pause(Pause("a person", 0, "a reason"))
    IndexMemoryTable(client, names, "inventory-events", runtime, Backoff()).save({"a": Holding("u", 1)})
    deed = audit_trail.new_record(runtime, "pause", "a person", "a reason", {"workers": "worker-1"})
    audit_trail.AuditTrail(client, names, runtime, Backoff()).write(deed)
    found: dict[str, dict[str, set[str]]] = {}
    for suffix in ("events", "outbox", "relay", "snapshots", "idempotency"):
        kinds = found[suffix] = {}
        for item in client.scan(TableName=f"t_{suffix}")["Items"]:
            for attribute, value in item.items():
                kinds.setdefault(attribute, set()).update(value)
    marks = client.get_item(TableName="t_outbox", Key={"aggregateId": {"S": "small"}, "sequenceNumber": {"N": "1"}})
    for attribute in ("parked", "refused"):
        mark = marks["Item"][attribute]["M"]["bus"]["M"]
        found[f"A mark in `{attribute}`"] = {name: set(value) for name, value in mark.items()}
    return found


@pytest.mark.parametrize(
    "table", ["events", "outbox", "relay", "snapshots", "idempotency", "A mark in `parked`", "A mark in `refused`"]
)
def test_attributes_of_tables_are_documented(table: str, rows_in_tables: dict[str, dict[str, set[str]]]) -> None:
    """The page has the attributes and types that rows have, and the keys of the template; nothing else is written."""
    requests = tables.create_requests(tables.load_template(), TableNames(""))
    keys = {
        (definition["AttributeName"], definition["AttributeType"])
        for request in requests
        if request["TableName"] == f"_{table}"
        for definition in request["AttributeDefinitions"]
    }
    section = table if table.startswith("A mark") else f"## `{table}`"
    documented = list(rows(REFERENCE / "tables.md", "attribute", section))
    written = {code(row["attribute"])[0]: {row["type"]} for row in documented if row["written by"] != "nobody yet"}
    assert written == rows_in_tables[table]
    assert keys - {(code(row["attribute"])[0], row["type"]) for row in documented} == set()


def test_indexes_and_keys_of_tables_are_documented() -> None:
    """Keys and indexes on the page are those of the template."""
    expected = {}
    for request in tables.create_requests(tables.load_template(), TableNames("")):
        name = request["TableName"].removeprefix("_")
        expected[name] = [key["AttributeName"] for key in request["KeySchema"]]
        for index in request.get("GlobalSecondaryIndexes", []):
            expected[index["IndexName"]] = [key["AttributeName"] for key in index["KeySchema"]]
    shown = {
        code(row["table or index"])[0]: code(row["partition key"]) + code(row["sort key"])
        for row in rows(REFERENCE / "tables.md", "table or index")
    }
    assert shown == expected


def test_operations_of_the_in_memory_dynamodb_are_documented() -> None:
    """The page lists what is carried out and nothing else, and names every parameter that AWS calls legacy."""
    page = REFERENCE / "dev-server.md"
    legacy = {"Expected", "AttributeUpdates", "KeyConditions", "QueryFilter", "ScanFilter", "ConditionalOperator"}

    documented = [name for row in rows(page, "operation") for name in code(row["operation"])]
    assert documented == sorted(OPERATIONS)
    refused = {name for request in REQUESTS.values() for name in request.refused}
    assert legacy <= refused
    assert legacy <= set(code(page.read_text("utf-8")))


def test_version_in_the_changelog_is_that_of_the_package() -> None:
    """The newest version in the changelog is the package's."""
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    newest = re.search(r"^## \[?(\d[^\]\s]*)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert version is not None
    assert newest is not None
    assert newest[1] == version[1]


def test_changelog_of_the_first_version_names_every_public_name() -> None:
    """Who reads the changelog finds every public name of the library."""
    named = set(code((ROOT / "CHANGELOG.md").read_text("utf-8")))
    assert [name for name in eventstore.__all__ if name not in named] == []


def test_promises_of_the_checker_are_those_it_knows() -> None:
    """The page names every promise that can be seen to be broken, in the order of the code."""
    shown = [row["promise"] for row in rows(DOCS / "how-to" / "check-a-deployment.md", "promise")]
    assert shown == list(Promise)


def test_index_of_decisions_says_what_the_pages_say() -> None:
    """The index has number, title and status of every decision, in order and without a hole."""
    shown = [(row["no."], row["decision"], row["status"]) for row in rows(DOCS / "adr" / "README.md", "decision")]
    expected = []
    for page in sorted((DOCS / "adr").glob("[0-9]*.md")):
        text = page.read_text("utf-8")
        title = re.search(r"^# (\d+)\. (.+)$", text, re.MULTILINE)
        status = re.search(r"^Status: ([a-z, ]+)\.", text, re.MULTILINE)
        assert title is not None
        assert status is not None
        assert int(title[1]) == int(page.name[:4])
        expected.append((page.name[:4], f"[{title[2]}]({page.name})", status[1]))
    assert shown == expected
    assert [int(number) for number, _, _ in shown] == list(range(1, len(shown) + 1))
