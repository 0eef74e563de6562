"""The AsyncAPI 3.0 document: events, subjects and headers for subscribers in any language."""

from dataclasses import asdict
from typing import Any

from . import subjects
from .catalog import EVENTS
from .envelope import MSG_ID
from .examples import envelope, example
from .message import Event
from .schemas import components, markdown, sample
from .streams import CONSUMERS, STREAMS, Consumer, Stream
from .version import __version__

Object = dict[str, Any]
_BINDING = {"nats": {"bindingVersion": "0.1.0"}}
_PARAMETERS = {
    "account": "The account that pays. 1 to 64 of A-Z a-z 0-9 _ and -",
    "generation": "Id of the request and everything that follows from it. 1 to 64 of A-Z a-z 0-9 _ and -",
    "log": "The stream, in lower case",
    "catalog": "Name of the catalog: prices",
    "model": "Name of the model",
}
_ABOUT = """\
Every event of telecine, as a subscriber receives it from NATS JetStream.

An operator of telecine gives you an identity and a durable pull consumer of the same name on the event's stream, with
`x-jetstream.filterSubject` of the channels you want as its filters: `telecine subscribers add`. Log in with the nkey,
bind to that consumer, and acknowledge each message after your work is stored. Delivery is at least once: the message's
stream sequence, or the header `ce-id`, identifies a repeated one. Ignore unknown fields.

Subscribers take events of VIDEO and LEDGER. ACCESS and CHECKPOINTS are read by telecine's services and by auditors."""
_SECURITY = """\
An nkey: the server sends a nonce, the client signs it with its Ed25519 seed. The seed (one line, beginning with SU)
comes from `telecine subscribers add NAME`. The identity may listen to subjects that begin with `_INBOX.NAME.` and to no
others, so the client's inbox prefix has to be set to `_INBOX.NAME`. It may take events from the consumer NAME and
acknowledge them; it may not create consumers."""


def document() -> Object:
    """The document; deterministic for a version of this distribution."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:telecine:events",
        "info": {"title": "telecine events", "version": __version__, "description": markdown(_ABOUT)},
        "defaultContentType": "application/json",
        "servers": {"nats": _server()},
        "channels": {_channel_id(event): _channel(event) for event in _newest_of_each_subject()},
        "operations": {f"receive.{event.type}": _operation(event) for event in EVENTS},
        "components": {
            "messages": {event.type: _message(event) for event in EVENTS},
            "schemas": {"EventHeaders": _headers(), **components(EVENTS)},
            "securitySchemes": {"nkey": {"type": "asymmetricEncryption", "description": markdown(_SECURITY)}},
        },
        "x-jetstream": {
            "description": "Telecine's own streams and durable consumers. Bytes and seconds; 0 means no limit",
            "streams": {stream.name: _settings(stream) for stream in STREAMS},
            "consumers": {consumer.name: _settings(consumer) for consumer in CONSUMERS},
        },
    }


def address(event: type[Event]) -> str:
    """The subject of an event with its parameters, e.g. ``ledger.{account}.debited``."""
    return subjects.template(event)


def consumers_of(event: type[Event]) -> list[Consumer]:
    """The durable consumers of telecine's services that receive this event."""
    return [consumer for consumer in CONSUMERS if subjects.of_type(event) in consumer.filters]


def _server() -> Object:
    return {
        "host": "{host}",
        "protocol": "nats",
        "description": "A NATS server, or a cluster of them, with JetStream",
        "security": [{"$ref": "#/components/securitySchemes/nkey"}],
        "variables": {"host": {"default": "127.0.0.1:4222", "description": "Host and port"}},
    }


def _newest_of_each_subject() -> list[type[Event]]:
    """One event per channel: versions of an event share its subject."""
    return list({_channel_id(event): event for event in EVENTS}.values())


def _channel_id(event: type[Event]) -> str:
    return f"{subjects.PREFIX[event.stream]}.{event.action}"


def _parameters(event: type[Event]) -> list[str]:
    return [name for name in _PARAMETERS if f"{{{name}}}" in address(event)]


def _channel(event: type[Event]) -> Object:
    versions = [known for known in EVENTS if _channel_id(known) == _channel_id(event)]
    return {
        "address": address(event),
        "title": event.__name__,
        "messages": {known.type: {"$ref": f"#/components/messages/{known.type}"} for known in versions},
        "servers": [{"$ref": "#/servers/nats"}],
        "parameters": {
            name: {"description": _PARAMETERS[name], "location": f"$message.payload#/{name}"}
            for name in _parameters(event)
        },
        "bindings": {"nats": {}},
        "x-jetstream": {"stream": event.stream, "filterSubject": subjects.of_type(event)},
    }


def _operation(event: type[Event]) -> Object:
    channel = f"#/channels/{_channel_id(event)}"
    return {
        "action": "receive",
        "channel": {"$ref": channel},
        "title": f"Receive {event.__name__}",
        "messages": [{"$ref": f"{channel}/messages/{event.type}"}],
        "bindings": _BINDING,
        "x-written-by": event.written_by,
        "x-handled-by": [consumer.name for consumer in consumers_of(event)],
    }


def _message(event: type[Event]) -> Object:
    headers = envelope(example(event)).to_headers()
    return {
        "name": event.type,
        "title": event.__name__,
        "contentType": "application/json",
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/EventHeaders"},
                {"properties": {"ce-type": {"const": event.type}}},
            ]
        },
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
        "correlationId": {"location": "$message.header#/ce-correlation"},
        "examples": [{"name": event.type, "headers": headers, "payload": sample(event)}],
        "x-schema": f"schemas/{event.type}.json",
    }


def _headers() -> Object:
    meanings = {
        MSG_ID: "The event's id again: JetStream discards a second message with it within two minutes",
        "ce-specversion": "Version of CloudEvents",
        "ce-id": "Unique id of the event, the same on every delivery",
        "ce-source": "The service that wrote it",
        "ce-type": "Name and version of the event; says which schema the body follows",
        "ce-time": "When it was written, RFC 3339 with a zone",
        "ce-subject": "What it is about",
        "ce-correlation": "The same for everything that follows from one request",
        "ce-causation": "Id of the event or request that caused this one",
        "content-type": "Media type of the body",
        "traceparent": "W3C trace context of the step that wrote it",
    }
    properties: Object = {name: {"type": "string", "description": text} for name, text in meanings.items()}
    properties["ce-specversion"]["const"] = "1.0"
    properties["content-type"]["const"] = "application/json"
    properties["ce-time"]["format"] = "date-time"
    return {
        "type": "object",
        "description": "CloudEvents attributes (NATS binding, binary mode); values are percent-encoded.",
        "properties": properties,
        "required": ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-time"],
    }


def _settings(described: Stream | Consumer) -> Object:
    return {_camel(name): value for name, value in asdict(described).items() if name != "name"}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
