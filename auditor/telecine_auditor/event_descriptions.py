"""Describes an event from its stored body, with the sentences of `telecine_contracts.descriptions`."""

from typing import Any

from pydantic import ValidationError

from telecine_contracts import EVENTS, Event
from telecine_contracts.credits import LedgerEvent
from telecine_contracts.descriptions import describe

__all__ = ["describe_body"]

_CLASSES = {event.action: event for event in EVENTS}


def describe_body(action: str, body: dict[str, Any]) -> str:
    """What the event `body`, whose subject ends in `action`, did; the action alone where the body is not valid.

    Users' texts are in it unescaped: `sanitizer` makes them printable.
    """
    event = _event(action, body)
    if event is None:
        return action.replace("_", " ")
    generation = event.about.get("generation") if isinstance(event, LedgerEvent) else None
    return f"{describe(event)} for generation {generation}" if generation else describe(event)


def _event(action: str, body: dict[str, Any]) -> Event | None:
    # By action rather than by type: every version of an event has the action, and a forged type has no class.
    if action not in _CLASSES:
        return None
    try:
        return _CLASSES[action].model_validate(body)
    except ValidationError:
        return None
