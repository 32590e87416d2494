"""Metadata: the names that others understand, and the trace of OpenTelemetry."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from eventstore import Append, EventStore, InvalidInputError, NewEvent, metadata

from .conftest import ITEM, event

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7
HEADER = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
GIVEN = "00-11111111111111111111111111111111-2222222222222222-00"


def install(monkeypatch: pytest.MonkeyPatch, get_current_span: Any) -> None:
    """Let `opentelemetry.trace` look as if the program had imported it."""
    module = ModuleType("opentelemetry.trace")
    module.get_current_span = get_current_span  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)


def span(*, is_valid: bool = True) -> Any:
    context = SimpleNamespace(is_valid=is_valid, trace_id=TRACE, span_id=SPAN, trace_flags=1)
    return SimpleNamespace(get_span_context=lambda: context)


def test_named_and_free_keys_make_one_dict() -> None:
    """
    What is not given is left out.
    """
    made = metadata(correlation_id="request-1", user="anna", traceparent=GIVEN, shop=7)

    assert made == {"correlation_id": "request-1", "user": "anna", "traceparent": GIVEN, "shop": 7}
    assert metadata() == {}
    assert metadata(causation_id="event-1") == {"causation_id": "event-1"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"correlation_id": ""}, "metadata.correlation_id"),
        ({"causation_id": 7}, "metadata.causation_id"),
        ({"user": b"anna"}, "metadata.user"),
        ({"traceparent": "00-1-2-3"}, "metadata.traceparent"),
        ({"traceparent": HEADER.upper()}, "metadata.traceparent"),
        ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, "metadata.traceparent"),
        ({"traceparent": f"00-{'1' * 32}-{'0' * 16}-01"}, "metadata.traceparent"),
        ({"traceparent": f"ff-{'1' * 32}-{'1' * 16}-01"}, "metadata.traceparent"),
    ],
)
def test_what_others_could_not_understand_is_refused(given: dict[str, Any], field: str) -> None:
    """
    The error names the key.
    """
    with pytest.raises(InvalidInputError) as caught:
        metadata(**given)

    assert caught.value.field == field


def test_the_current_span_becomes_the_traceparent(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Only where the caller gave none.
    """
    install(monkeypatch, span)

    store.append(
        ITEM, [event(), NewEvent("X", {}, metadata(traceparent=GIVEN)), NewEvent("X", {}, {"a": 1})], expected_version=0
    )

    assert [each.metadata for each in store.load("item-1")] == [
        {"traceparent": HEADER},
        {"traceparent": GIVEN},
        {"a": 1, "traceparent": HEADER},
    ]


def test_many_and_all_are_traced_as_well(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    `append_all` sends from threads of its own; the trace is the caller's.
    """
    traced = [sys.modules.get("threading").current_thread()]  # type: ignore[union-attr]

    def current() -> Any:
        is_caller = sys.modules["threading"].current_thread() is traced[0]
        return span(is_valid=is_caller)

    install(monkeypatch, current)

    store.append_many([Append(ITEM, [event()], 0)])
    list(store.append_all([Append(ITEM, [event()], 1)]))

    assert [each.metadata for each in store.load("item-1")] == [{"traceparent": HEADER}] * 2


def test_no_span_no_traceparent(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Outside of a span, and without OpenTelemetry, metadata stay as they are.
    """
    monkeypatch.delitem(sys.modules, "opentelemetry.trace", raising=False)
    store.append(ITEM, [event()], expected_version=0)
    install(monkeypatch, lambda: span(is_valid=False))
    store.append(ITEM, [event()], expected_version=1)

    assert [each.metadata for each in store.load("item-1")] == [{}, {}]


def test_a_fault_of_the_tracing_refuses_nothing(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The append matters more than its trace.
    """
    install(monkeypatch, lambda: 1 / 0)

    assert store.append(ITEM, [event()], expected_version=0).version == 1
