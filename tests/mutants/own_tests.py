"""Which modules are tried, and which tests are each one's own.

The modules are those of the purity contract. A module's own tests are those that ask for its rules, by its functions or
by the smallest thing that uses them; a mutant that only others notice counts as a survivor.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CONTRACT = "Decisions are pure"

_UNIT = "tests/unit"
_LIBRARY = "tests/unit/eventstore"
_RELAY = "tests/unit/relay"
_DESTINATIONS = "tests/unit/destinations"

OWN_TESTS: dict[str, tuple[str, ...]] = {
    "eventstore.append.also": (f"{_LIBRARY}/test_also_values.py", f"{_LIBRARY}/test_also.py"),
    "eventstore.append.commit": (f"{_LIBRARY}/test_append_request.py",),
    "eventstore.append.held_fields": (f"{_LIBRARY}/test_held_fields.py",),
    "eventstore.append.transaction": (f"{_LIBRARY}/test_append_request.py",),
    "eventstore.append.unchanged": (f"{_LIBRARY}/test_append_request.py",),
    "eventstore.append.verdict": (f"{_LIBRARY}/test_append_verdict.py",),
    "eventstore.backoff": (f"{_LIBRARY}/test_bounds.py",),
    "eventstore.checks": (f"{_LIBRARY}/test_bounds.py",),
    "eventstore.cli.output.payload_diff": (f"{_LIBRARY}/test_payload_diff.py",),
    "eventstore.dynamodb.aimd": (f"{_LIBRARY}/test_aimd.py",),
    "eventstore.dynamodb.answers": (f"{_LIBRARY}/test_foreign_answers.py",),
    "eventstore.dynamodb.errors": (f"{_LIBRARY}/test_call_outcomes.py",),
    "eventstore.errors": (f"{_LIBRARY}/test_errors.py",),
    "eventstore.expectation": (f"{_LIBRARY}/test_bounds.py",),
    "eventstore.jsontext": (f"{_LIBRARY}/test_payload_values.py",),
    "eventstore.limits": (f"{_LIBRARY}/test_bounds.py",),
    "eventstore.model": (f"{_LIBRARY}/test_model.py",),
    "eventstore.payload.attribute_value": (f"{_LIBRARY}/test_attribute_values.py",),
    "eventstore.payload.json_text": (f"{_LIBRARY}/test_payload_values.py",),
    "eventstore.payload.moments": (f"{_LIBRARY}/test_bounds.py",),
    "eventstore.payload.plain": (f"{_LIBRARY}/test_payload_values.py",),
    "eventstore.payload.row_write": (f"{_LIBRARY}/test_attribute_values.py",),
    "eventstore.repository.deciding.decision": (f"{_LIBRARY}/repository/test_decided.py",),
    "eventstore.repository.folding": (f"{_LIBRARY}/repository/test_folding.py",),
    "eventstore.repository.policy": (f"{_LIBRARY}/repository/test_policy.py",),
    "eventstore.repository.round_trip": (f"{_LIBRARY}/repository/test_round_trip.py",),
    "eventstore.repository.snapshot_row": (f"{_LIBRARY}/repository/test_snapshot_row.py",),
    "eventstore.rows.event": (f"{_LIBRARY}/test_stored_rows.py",),
    "eventstore.rows.idempotency": (f"{_LIBRARY}/test_stored_rows.py",),
    "eventstore.rows.item": (f"{_LIBRARY}/test_stored_rows.py",),
    "eventstore.rows.outbox": (f"{_LIBRARY}/test_stored_rows.py",),
    "eventstore.rows.refused": (f"{_LIBRARY}/test_stored_rows.py",),
    "eventstore.schema.codec": (f"{_LIBRARY}/schema/test_codec.py",),
    "eventstore.schema.report": (f"{_LIBRARY}/schema/test_schema_report.py",),
    "eventstore.schema.upcasting": (f"{_LIBRARY}/schema/test_upcasting.py",),
    "eventstore.search.client": ("tests/unit/search/test_documents.py",),
    "eventstore.search.document": ("tests/unit/search/test_documents.py",),
    "eventstore.search.dsl": ("tests/unit/search/test_query.py",),
    "eventstore.search.facets": ("tests/unit/search/test_documents.py",),
    "eventstore.search.fields": ("tests/unit/search/test_documents.py",),
    "eventstore.search.options": (f"{_LIBRARY}/test_options.py", "tests/unit/search/test_settings.py"),
    "eventstore.search.page_token": ("tests/unit/search/test_event_search.py",),
    "eventstore.search.query": ("tests/unit/search/test_query.py", f"{_LIBRARY}/test_plain_names.py"),
    "eventstore.timeline.place": (f"{_LIBRARY}/test_bounds.py",),
    "eventstore.timeline.query": (
        f"{_LIBRARY}/test_read_places.py",
        f"{_LIBRARY}/test_timeline_rules.py",
        f"{_LIBRARY}/test_timeline.py",
    ),
    "eventstore.timeline.sealed": (f"{_LIBRARY}/test_read_places.py",),
    "eventstore.timeline.seen": (f"{_LIBRARY}/test_read_places.py", f"{_LIBRARY}/test_timeline_rules.py"),
    "eventstore.timeline.token": (f"{_LIBRARY}/test_read_places.py",),
    "eventstore.validation": (
        f"{_LIBRARY}/test_append.py",
        f"{_LIBRARY}/test_append_many.py",
        f"{_LIBRARY}/test_plain_names.py",
    ),
    "eventstore.verify.commit_rules": (f"{_LIBRARY}/test_verify.py",),
    "eventstore.verify.counts": (f"{_LIBRARY}/test_stats.py",),
    "eventstore.verify.debt_rules": (f"{_LIBRARY}/test_verify.py",),
    "eventstore.verify.event_ids": (f"{_LIBRARY}/test_verify.py",),
    "eventstore.verify.finding": (f"{_LIBRARY}/test_verify.py",),
    "eventstore.verify.history_rules": (f"{_LIBRARY}/test_verify.py",),
    "eventstore.walk.place": (f"{_LIBRARY}/test_bounds.py",),
    "eventstore.walk.token": (f"{_LIBRARY}/test_read_places.py",),
    "relay.delivery.aggregate": (f"{_RELAY}/test_flow_values.py",),
    "relay.delivery.commit": (f"{_RELAY}/test_flow_values.py",),
    "relay.delivery.order": (f"{_RELAY}/test_order.py",),
    "relay.delivery.page": (f"{_RELAY}/test_page.py",),
    "relay.delivery.pumps.breaker": (f"{_RELAY}/test_flow_values.py",),
    "relay.delivery.settings": (f"{_RELAY}/test_flow_values.py",),
    "relay.delivery.settling": (f"{_RELAY}/test_settling.py",),
    "relay.delivery.sides": (f"{_RELAY}/test_sides.py",),
    "relay.delivery.source": (f"{_RELAY}/test_flow_values.py",),
    "relay.destination": ("tests/unit/destinations/test_port_values.py",),
    "relay.destinations.bus.address": (f"{_DESTINATIONS}/test_bus_address.py",),
    "relay.destinations.bus.confirms": (f"{_DESTINATIONS}/test_confirms.py",),
    "relay.destinations.bus.message": (f"{_DESTINATIONS}/test_message.py",),
    "relay.destinations.bus.topology": ("tests/unit/destinations/test_port_values.py",),
    "relay.destinations.bus.wire": (f"{_DESTINATIONS}/test_wire.py", f"{_DESTINATIONS}/test_message.py"),
    "relay.destinations.cloud_event": (f"{_DESTINATIONS}/test_message.py", f"{_DESTINATIONS}/test_cloudevents.py"),
    "relay.destinations.file.line": (f"{_DESTINATIONS}/test_file.py",),
    "relay.destinations.index.bulk_item": (f"{_DESTINATIONS}/test_verdict.py",),
    "relay.destinations.index.bulk_lines": (f"{_DESTINATIONS}/test_bulk_values.py",),
    "relay.destinations.index.differences": (f"{_DESTINATIONS}/test_index_differences.py",),
    "relay.destinations.index.tally": (f"{_DESTINATIONS}/test_bulk_values.py",),
    "relay.destinations.index.template": (f"{_DESTINATIONS}/test_document.py",),
    "relay.destinations.resource_names": ("tests/unit/destinations/test_port_values.py",),
    "relay.destinations.topology": ("tests/unit/destinations/test_port_values.py",),
    "relay.feed.change": (f"{_RELAY}/test_owed_rows.py",),
    "relay.feed.lineage": (f"{_RELAY}/test_lineage.py",),
    "relay.feed.pacing": (f"{_RELAY}/test_lineage.py",),
    "relay.leases.errors": (f"{_RELAY}/leases/test_records.py",),
    "relay.leases.fleet": (f"{_RELAY}/leases/test_records.py",),
    "relay.leases.position": (f"{_RELAY}/test_position.py", f"{_RELAY}/leases/test_records.py"),
    "relay.leases.records": (f"{_RELAY}/leases/test_records.py",),
    "relay.leases.rules": (f"{_RELAY}/leases/test_rules.py",),
    "relay.leases.worker_report": (f"{_RELAY}/leases/test_records.py",),
    "relay.observing.http.health": (f"{_RELAY}/http/test_health.py",),
    "relay.operating.parked.grouping": (f"{_RELAY}/operating/test_parked_rules.py",),
    "relay.operating.parked.mark": (f"{_RELAY}/operating/test_parked_rules.py",),
    "relay.operating.parked.selection": (f"{_RELAY}/operating/test_parked_rules.py",),
    "relay.outbox.debt": (f"{_RELAY}/test_census.py",),
    "relay.outbox.row": (f"{_RELAY}/test_owed_rows.py",),
    "relay.testing.checker.broken": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.bus": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.checker": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.comparison": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.document": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.event": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.history": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.imprint": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.index": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.message": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.promise": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.verdict": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
    "relay.testing.checker.writing": (
        f"{_UNIT}/checker/test_bad_histories.py",
        f"{_UNIT}/checker/test_fields.py",
        f"{_UNIT}/checker/test_checker.py",
    ),
}
"""Paths of tests by module. Modules that have no code are not here."""


def pure_modules() -> dict[str, Path]:
    """Return the modules of the purity contract and their files, those of its packages one by one."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (named,) = [each["source_modules"] for each in contracts if each["name"].startswith(_CONTRACT)]
    found: dict[str, Path] = {}
    for name in sorted(set(named)):
        path = ROOT.joinpath(*name.split("."))
        if path.is_dir():
            found |= {f"{name}.{each.stem}": each for each in sorted(path.glob("*.py")) if each.stem != "__init__"}
        else:
            found[name] = path.with_suffix(".py")
    return found
