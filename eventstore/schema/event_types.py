"""What a program knows about its events: classes, upcasters and JSON Schemas by type and schema version."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from eventstore.errors import InvalidInputError
from eventstore.payload.plain import scalar
from eventstore.schema import upcasting
from eventstore.schema.codec import Codec, codec_for
from eventstore.schema.json_schema import PayloadSchema
from eventstore.schema.upcasting import Kind, Step, Upcast, Way
from eventstore.validation import check_schema_version

C = TypeVar("C", bound=type)


@dataclass(frozen=True, slots=True)
class EventClass:
    """A class registered to a type and version.

    Attributes:
        cls: The class.
        kind: Its type and version.
        codec: Takes its objects to plain values and back.
    """

    cls: type
    kind: Kind
    codec: Codec[Any]

    def build(self, *, at_once: bool = True) -> None:
        """Make the decoder of the class.

        Args:
            at_once: Whether annotations must be defined by now.

        Raises:
            InvalidInputError: There can be none; it says what to change.
        """
        try:
            self.codec.build()
        except NameError as error:  # of pydantic as well
            if at_once:
                reason = f"{self.say()}, has an annotation that is not there at"
                cure = "import it outside of `if TYPE_CHECKING`, at the top of its module"
                raise InvalidInputError("cls", f"{reason} run time: {_short(error)}; {cure}") from error
        except Exception as error:
            reason = f"{self.say()}, could not be read back: {_short(error)}"
            raise InvalidInputError("cls", f"{reason}; change its annotations") from error

    def say(self) -> str:
        """Return the class with type and version, as a sentence names it."""
        return f"{self.cls.__name__}, the class of {_say(self.kind)}"


class EventTypes:
    """The event types of a program, handed to `EventStore.open(..., events=…)`.

    Register everything before the store is opened, at import time as a rule. Plain dicts always work beside it.

    A type's latest version is the highest one that anything is registered for. What is stored at a lower one is
    lifted by its upcasters whenever it is read; what has no class is read as a plain dict. What is stored at a higher
    one comes from a newer program, and reading it is an error: to fold it by the rules of an older version would be to
    decide on a wrong state. Types that are not registered are passed on as plain dicts, unless `strict`.
    """

    def __init__(self, *, strict: bool = False) -> None:
        """Make an empty registry.

        Args:
            strict: Refuse types that are not registered as well, when reading and when appending, in place of passing
                them on as plain dicts.
        """
        self.strict = strict
        self._classes: dict[Kind, EventClass] = {}
        self._kinds: dict[type, EventClass] = {}
        self._steps: dict[Kind, Step] = {}
        self._schemas: dict[Kind, PayloadSchema] = {}
        self._latest: dict[str, int] = {}
        self._known: set[Kind] = set()

    def register(self, event_type: str, version: int = 1) -> Callable[[C], C]:
        """Register the decorated dataclass, msgspec.Struct or pydantic model; see `add_class`."""

        def decorate(cls: C) -> C:
            self.add_class(cls, event_type, version)
            return cls

        return decorate

    def add_class(self, cls: type, event_type: str, version: int = 1) -> None:
        """Register a dataclass, msgspec.Struct or pydantic model as the shape of a type's payload at a version.

        Raises:
            InvalidInputError: It is not such a class, its objects could not be read back from JSON, or the class or the
                version has been registered before. Annotations that name what comes later in a module are looked at
                when the store is opened.
        """
        kind = self._kind(event_type, version)
        if kind in self._classes:
            raise InvalidInputError("version", f"{_say(kind)} already has the class {self._classes[kind].cls.__name__}")
        if cls in self._kinds:
            raise InvalidInputError("cls", f"{cls.__name__} is registered as {_say(self._kinds[cls].kind)} already")
        entry = EventClass(cls, kind, codec_for(cls))
        entry.build(at_once=False)
        self._classes[kind] = self._kinds[cls] = entry
        self._know(kind)

    def build(self) -> None:
        """Make sure that every registered class can be read; `EventStore.open` does it, when all names are defined.

        Raises:
            InvalidInputError: One cannot: an annotation names what is not there at run time, or nothing can tell from
                JSON which class is meant. It names the class and what to change.
        """
        for entry in self._classes.values():
            entry.build()

    def add_plain(self, event_type: str, version: int = 1) -> None:
        """Register a type and version whose payload stays a plain dict."""
        self._know(self._kind(event_type, version))

    def upcaster(self, event_type: str, version: int, *, to_type: str | None = None) -> Callable[[Upcast], Upcast]:
        """Register the decorated function; see `add_upcaster`."""

        def decorate(upcast: Upcast) -> Upcast:
            self.add_upcaster(upcast, event_type, version, to_type=to_type)
            return upcast

        return decorate

    def add_upcaster(self, upcast: Upcast, event_type: str, version: int, *, to_type: str | None = None) -> None:
        """Register what lifts a payload from a schema version to the next one.

        Args:
            upcast: Takes the payload as a dict of its own, which it may change, and returns the new one. It must
                answer alike for ever: no clock, no look-ups.
            event_type: The type it takes.
            version: The version it takes; it makes `version + 1`.
            to_type: The type it makes, where the type was renamed.

        Raises:
            InvalidInputError: One is registered for this type and version already.
        """
        kind = self._kind(event_type, version)
        if kind in self._steps:
            raise InvalidInputError("version", f"{_say(kind)} already has an upcaster")
        target = self._kind(event_type if to_type is None else to_type, version + 1)
        self._steps[kind] = Step(kind, target, upcast)
        self._know(kind)
        self._know(target)

    def add_schema(self, event_type: str, version: int, schema: Mapping[str, Any]) -> None:
        """Register a JSON Schema that payloads of a type and version must match when they are appended.

        Raises:
            MissingExtraError: Install `dynamo-eventstore[jsonschema]`.
            InvalidInputError: It is not a valid schema, or there is one already.
        """
        kind = self._kind(event_type, version)
        if kind in self._schemas:
            raise InvalidInputError("version", f"{_say(kind)} already has a JSON Schema")
        self._schemas[kind] = PayloadSchema(schema, _say(kind))
        self._know(kind)

    def way_from(self, kind: Kind) -> Way:
        """Return how events of a stored type and version reach the latest one."""
        return upcasting.find_way(kind, self._steps, self._latest)

    def has_way_on(self, kind: Kind) -> bool:
        """Tell whether an upcaster leads on from a type and version."""
        return kind in self._steps

    def class_of(self, kind: Kind) -> EventClass | None:
        """Return the class registered for a type and version."""
        return self._classes.get(kind)

    def entry_of(self, payload: object) -> EventClass | None:
        """Return the registration of an object's class."""
        return self._kinds.get(type(payload))

    def schema_of(self, kind: Kind) -> PayloadSchema | None:
        """Return the JSON Schema of a type and version."""
        return self._schemas.get(kind)

    def latest_of(self, event_type: str) -> int | None:
        """Return a type's latest version; None for a type that is not known."""
        return self._latest.get(event_type)

    def knows(self, kind: Kind) -> bool:
        """Tell whether anything is registered for a type and version."""
        return kind in self._known

    def known(self) -> frozenset[Kind]:
        """Return every type and version that something is registered for."""
        return frozenset(self._known)

    @classmethod
    def load(cls, place: str) -> "EventTypes":
        """Return the registry at `module:attribute`, importing the module.

        Raises:
            InvalidInputError: There is none; it says what was found.
        """
        module_name, _, attribute = place.partition(":")
        if not module_name or not attribute:
            raise InvalidInputError("events", f"is {place!r}; write `module:attribute`, such as `shop.events:events`")
        try:
            found = importlib.import_module(module_name)
        except Exception as error:
            raise InvalidInputError(
                "events",
                f"module {module_name!r} cannot be imported: {type(error).__name__}: {error}",
            ) from error
        value: object = found
        for part in attribute.split("."):
            value = getattr(value, part, None)
        if not isinstance(value, cls):
            raise InvalidInputError("events", f"{place!r} is a {type(value).__name__}, not an `EventTypes`")
        return value

    def _know(self, kind: Kind) -> None:
        self._known.add(kind)
        self._latest[kind[0]] = max(kind[1], self._latest.get(kind[0], 0))

    @staticmethod
    def _kind(event_type: str, version: int) -> Kind:
        if not isinstance(event_type, str) or not event_type:
            raise InvalidInputError("event_type", f"is {event_type!r}; give the type's name")
        check_schema_version(version, "version")
        return scalar(event_type), scalar(version)


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0]  # pydantic adds a link below


def _say(kind: Kind) -> str:
    return f"{kind[0]!r} version {kind[1]}"
