"""Decodes and encodes events: classes by type name, upcasts from old versions to new ones."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from .message import Event

Upcast = Callable[[dict[str, Any]], dict[str, Any]]


class UnknownEvent(LookupError):
    """An event type that is not registered: written by a newer producer, or not an event of telecine."""


class BadEvent(ValueError):
    """A body that does not match the schema of its type; names the fields."""


class Registry:
    """The events that a program can decode. Two classes must not share a type name."""

    def __init__(self, events: Iterable[type[Event]]) -> None:
        self._events: dict[str, type[Event]] = {}
        self._upcasts: dict[str, tuple[str, Upcast]] = {}
        for event in events:
            if event.type in self._events:
                raise ValueError(f"two events are called {event.type}")
            self._events[event.type] = event

    def __iter__(self) -> Iterator[type[Event]]:
        return iter(self._events.values())

    def upcast(self, old: str, new: str, change: Upcast) -> None:
        """Decode bodies of type `old` as type `new` after applying `change`. Upcasts chain: v1 to v2 to v3.

        Raises ValueError if `new` is not registered, or `old` already is.
        """
        if new not in self:
            raise ValueError(f"cannot upcast {old} to {new}: {new} is not registered")
        if old in self:
            raise ValueError(f"cannot upcast {old}: it is registered already")
        self._upcasts[old] = (new, change)

    def __contains__(self, name: object) -> bool:
        """Whether bodies of type `name` can be decoded, as themselves or as a newer version."""
        return name in self._events or name in self._upcasts

    def __getitem__(self, name: str) -> type[Event]:
        try:
            return self._events[name]
        except KeyError:
            raise UnknownEvent(f"no event is called {name}") from None

    def decode(self, name: str, body: bytes) -> Event:
        """The event in `body`, in its newest version.

        Raises UnknownEvent for a type that is not registered, BadEvent for a body that does not match its schema.
        """
        try:
            if name in self._upcasts:
                return self._decode_old(name, body)
            return self[name].model_validate_json(body)
        except ValidationError as error:
            fields = ", ".join(
                ".".join(map(str, e["loc"])) or "body" for e in error.errors(include_input=False)
            )
            raise BadEvent(f"{name}: {fields} not as the schema says") from None

    def _decode_old(self, name: str, body: bytes) -> Event:
        from pydantic_core import from_json

        try:
            value: Any = from_json(body)
        except ValueError:
            raise BadEvent(f"{name}: the body is not JSON") from None
        if not isinstance(value, Mapping):
            raise BadEvent(f"{name}: the body is not an object")
        fields = dict(value)
        while name in self._upcasts:
            newer, change = self._upcasts[name]
            try:
                fields = change(fields)
            except Exception as error:
                # An old body that does not match its type may make an upcast fail in any way.
                raise BadEvent(f"{name}: can't be read as {newer} ({type(error).__name__})") from None
            name = newer
        return self[name].model_validate(fields)


def encode(event: Event) -> bytes:
    """The canonical body: compact JSON in the model's field order, fields that are None left out.

    Because None is left out, a new optional field does not change the bytes of existing events, on which golden files
    and hashes over bodies rely.
    """
    return event.model_dump_json(exclude_none=True).encode()
