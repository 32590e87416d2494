"""Given these events, when this command comes, then those events: examples for deciders and projections."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eventstore.errors import InvalidInputError
from eventstore.event_codec import AppendableEvent
from eventstore.model import AggregateRef, NewEvent, RecordedEvent
from eventstore.payload.row_write import RowWrite
from eventstore.repository.deciding import decision as decisions
from eventstore.repository.deciding.decision import Decide
from eventstore.repository.folding import Evolve, Fold, Folded, fold, own
from eventstore.schema import EventTypes
from eventstore.testing import difference
from eventstore.testing.builders import AGGREGATE_DEFAULT, checked, history

S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E", bound=Exception)


class DeciderSpec(Generic[S, C]):
    """What the examples for one kind of aggregate share.

        items = DeciderSpec(initial=Stock(), evolve=evolve, decide=reserve)
        items.given(received(10)).when(3).then(reserved(3))

    Events are what a store would take: `NewEvent`s, or objects of classes that `event_types` has. They go through the
    same checks, upcasters included.
    """

    def __init__(
        self,
        *,
        initial: type[S] | Callable[[], S] | S,
        evolve: Evolve[S],
        decide: Decide[S, C] | None = None,
        aggregate: AggregateRef = AGGREGATE_DEFAULT,
        event_types: EventTypes | None = None,
    ) -> None:
        """Set what the examples share.

        Args:
            initial: As in `Repository`.
            evolve: As in `Repository`.
            decide: The decision, as in `Repository.transact`, where there is one for all commands.
            aggregate: Whose events they are.
            event_types: What the program knows about its events; plain dicts alone when left out.
        """
        self._rule = Fold("given", 1, initial, evolve, aggregate.type)
        self._decide = decide
        self._aggregate = aggregate
        self._types = event_types

    def given(self, *events: AppendableEvent | RecordedEvent) -> "Given[S, C]":
        """Begin an example with what has happened, oldest first; with nothing for a new aggregate.

        Raises:
            InvalidInputError: No store would take an event, or nothing registered can read it; it names the field.
        """
        stored = history(*events, aggregate=self._aggregate, event_types=self._types)
        before = fold(self._rule, Folded(self._rule.start(), 0), stored)
        return Given(self._rule, before, self._decide, self._aggregate, self._types)


class Given(Generic[S, C]):
    """An example with its history."""

    def __init__(
        self,
        rule: Fold[S],
        before: Folded[S],
        decide: Decide[S, C] | None,
        aggregate: AggregateRef,
        event_types: EventTypes | None,
    ) -> None:
        self._rule = rule
        self._before = before
        self._decide = decide
        self._aggregate = aggregate
        self._types = event_types

    def when(self, command: C, decide: Decide[S, C] | None = None) -> "Decided[S]":
        """Decide on a command; what the decision raises is kept for `then_raises`.

        Args:
            command: The command.
            decide: The decision, where the examples have none in common.

        Raises:
            InvalidInputError: No decision was named.
            AssertionError: The decision returned something that no decision can.
        """
        decision = decide or self._decide
        if decision is None:
            raise InvalidInputError("decide", "is named neither here nor by the DeciderSpec")
        try:
            made: Any = decision(own(self._before.state), command)
        except Exception as error:  # noqa: BLE001 - whatever it is, `then_raises` asks for it
            return Decided(self._rule, self._before, self._aggregate, self._types, _Outcome(error=error))
        try:
            events, answer, also = decisions.decided(made)
        except InvalidInputError as error:
            raise AssertionError(f"the decision {error.reason}") from error
        if any(isinstance(event, str | bytes | Mapping) for event in events):
            raise AssertionError(f"the decision returned {made!r}; it returns events, None for a no-op, or a Decision")
        outcome = _Outcome(events, answer, tuple(also))
        return Decided(self._rule, self._before, self._aggregate, self._types, outcome)

    def then_state(self, state: S) -> None:
        """Expect that the history folds to a state.

        Raises:
            AssertionError: It comes to another one; the message shows the difference.
        """
        __tracebackhide__ = True
        expect_state(state, self._before.state)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The outcome of a decision: events with answer and rows, or an error."""

    events: tuple[AppendableEvent, ...] = ()
    answer: Any = None
    also: tuple[RowWrite, ...] = ()
    error: Exception | None = None


class Decided(Generic[S]):
    """An example whose command was decided on."""

    def __init__(
        self,
        rule: Fold[S],
        before: Folded[S],
        aggregate: AggregateRef,
        event_types: EventTypes | None,
        outcome: _Outcome,
    ) -> None:
        self._rule = rule
        self._before = before
        self._aggregate = aggregate
        self._types = event_types
        self._outcome = outcome

    def then(self, *events: AppendableEvent) -> "Decided[S]":
        """Expect these events, in this order.

        Types, schema versions and payloads count, digit by digit: 1 is not 1.0. Metadata and timestamps count where
        an expected event has some.

        Raises:
            AssertionError: Others were decided, or none; the message shows the difference.
            InvalidInputError: No store would take an expected event, or a decided one; it names the field.
        """
        __tracebackhide__ = True
        expected = self._plain(events)
        decided = self._plain(self._events())
        counting = {
            "metadata": [bool(event.metadata) for event in expected],
            "times": [event.timestamp_ms is not None for event in expected],
        }
        wanted = difference.event_lines(expected, **counting)
        come = difference.event_lines(decided, **counting)
        if wanted != come:
            shown = difference.of_lines(wanted, come)
            raise AssertionError(f"other events were decided (- expected, + decided):\n{shown}")
        return self

    def then_nothing(self) -> "Decided[S]":
        """Expect a no-op: no events, no error.

        Raises:
            AssertionError: Events were decided, or an error was raised.
        """
        __tracebackhide__ = True
        return self.then()

    def then_answer(self, answer: object) -> "Decided[S]":
        """Expect this answer for the caller: `Decision.answer`, None where there is none.

        Raises:
            AssertionError: There is another one, or an error was raised.
        """
        __tracebackhide__ = True
        self._events()
        if self._outcome.answer != answer:
            raise AssertionError(f"the answer is {self._outcome.answer!r}, not {answer!r}")
        return self

    def then_also(self, *also: RowWrite) -> "Decided[S]":
        """Expect these writes of rows in other tables, in this order: `Decision.also`.

        Raises:
            AssertionError: There are others, or an error was raised.
        """
        __tracebackhide__ = True
        self._events()
        if self._outcome.also != also:
            shown = difference.of_lines([repr(each) for each in also], [repr(each) for each in self._outcome.also])
            raise AssertionError(f"other rows were decided (- expected, + decided):\n{shown}")
        return self

    def then_raises(self, error: type[E], match: str | None = None) -> E:
        """Expect that the decision raises an error, and return it.

        Args:
            error: Its class, or one above it.
            match: A pattern that is searched for in its text.

        Raises:
            AssertionError: It raised nothing, something else, or with another text.
        """
        __tracebackhide__ = True
        raised = self._outcome.error
        if raised is None:
            shown = "\n".join(self._lines()) or "no events"
            raise AssertionError(f"{error.__name__} was expected, and this was decided:\n{shown}")
        if not isinstance(raised, error):
            reason = f"{error.__name__} was expected, not {_named(raised)}"
            raise AssertionError(reason) from raised  # noqa: TRY004 - an example fails by assertion
        if match is not None and not re.search(match, str(raised)):
            raise AssertionError(f"{_named(raised)} does not hold {match!r}") from raised
        return raised

    def then_state(self, state: S) -> "Decided[S]":
        """Expect that the decided events lead to a state.

        Raises:
            AssertionError: They lead to another one, or an error was raised; the message shows the difference.
        """
        __tracebackhide__ = True
        stored = history(
            *self._events(),
            aggregate=self._aggregate,
            after=self._before.version,
            event_types=self._types,
        )
        after = fold(self._rule, Folded(own(self._before.state), self._before.version), stored)
        expect_state(state, after.state)
        return self

    def _events(self) -> tuple[AppendableEvent, ...]:
        __tracebackhide__ = True
        error = self._outcome.error
        if error is not None:
            raise AssertionError(f"the decision raised {_named(error)}") from error
        return self._outcome.events

    def _plain(self, events: Sequence[AppendableEvent]) -> list[NewEvent]:
        return checked(self._aggregate, list(events), self._types) if events else []

    def _lines(self) -> list[str]:
        return difference.event_lines(self._plain(self._outcome.events), metadata=(), times=())


class ProjectionSpec(Generic[S]):
    """What the examples for one projection or read model share.

        stock = ProjectionSpec(initial=dict, evolve=evolve)
        stock.given(received(10)).then_state({"item-1": 10})

    Events are as for `DeciderSpec`.
    """

    def __init__(
        self,
        *,
        initial: type[S] | Callable[[], S] | S,
        evolve: Evolve[S],
        aggregate: AggregateRef = AGGREGATE_DEFAULT,
        event_types: EventTypes | None = None,
    ) -> None:
        """Set what the examples share.

        Args:
            initial: As in `Projection` and `ReadModel`.
            evolve: Same as above.
            aggregate: Whose the events are that name no aggregate.
            event_types: What the program knows about its events; plain dicts alone when left out.
        """
        self._rule = Fold("given", 1, initial, evolve)
        self._aggregate = aggregate
        self._types = event_types

    def given(self, *events: AppendableEvent | RecordedEvent) -> "Projected[S]":
        """Apply events in this order, as a `ReadModel` does: a number that was applied before is skipped.

        Args:
            events: As for `DeciderSpec.given`; those of other aggregates by `recorded` or `history`.

        Raises:
            InvalidInputError: No store would take an event, or nothing registered can read it; it names the field.
        """
        state = self._rule.start()
        applied: dict[str, tuple[int, int]] = {}
        for event in history(*events, aggregate=self._aggregate, event_types=self._types):
            position = (event.epoch, event.sequence_number)
            if position > applied.get(event.aggregate_id, (0, 0)):
                applied[event.aggregate_id] = position
                state = self._rule.evolve(state, event)
        return Projected(state)


@dataclass(frozen=True, slots=True)
class Projected(Generic[S]):
    """An example whose events were applied.

    Attributes:
        state: What they came to.
    """

    state: S

    def then_state(self, state: S) -> None:
        """Expect that the events fold to a state.

        Raises:
            AssertionError: They come to another one; the message shows the difference.
        """
        __tracebackhide__ = True
        expect_state(state, self.state)


def expect_state(expected: object, actual: object) -> None:
    """Compare states.

    Raises:
        AssertionError: They differ; the message shows where.
    """
    __tracebackhide__ = True
    if expected == actual:
        return
    shown = difference.of_lines(difference.state_lines(expected), difference.state_lines(actual))
    if not shown:
        shown = f"both look alike, but {type(expected).__name__} == {type(actual).__name__} says no: give it an __eq__"
    raise AssertionError(f"the events fold to another state (- expected, + actual):\n{shown}")


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
