"""Events of telecine: models, subjects, streams, schemas and prices.

Everything another team needs to subscribe: ``registry().decode(envelope.type, body)`` turns a message into an event.
"""

from .catalog import EVENTS, registry
from .envelope import BadEnvelope, Envelope, derive_id
from .message import MAX_CREDITS, Event
from .registry import BadEvent, Registry, UnknownEvent, encode

__all__ = [
    "EVENTS",
    "MAX_CREDITS",
    "BadEnvelope",
    "BadEvent",
    "Envelope",
    "Event",
    "Registry",
    "UnknownEvent",
    "derive_id",
    "encode",
    "registry",
]
