"""docs/events.md: the page of all events."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from .asyncapi import address, consumers_of
from .catalog import EVENTS
from .message import Event
from .schemas import Schema, components, schema
from .streams import STREAMS

_INTRODUCTION = """\
# Events

Generated: `python -m telecine_contracts docs docs/events.md`. Do not edit.

Every event is a JSON body on a subject of NATS JetStream; its source, time and cause are in the headers
(CloudEvents attributes, see [contracts/README.md](../contracts/README.md)). The name ends in its version and is the
header `ce-type`; JSON Schemas are in [contracts/schemas](../contracts/schemas), the AsyncAPI document is
[contracts/asyncapi.json](../contracts/asyncapi.json). How to receive them: [subscribing.md](subscribing.md)."""


def page() -> str:
    """The page, as Markdown."""
    parts = [_INTRODUCTION, _streams(), _overview(), *map(_event, EVENTS), _types()]
    return "\n\n".join(parts) + "\n"


def _streams() -> str:
    rows = ((stream.name, _code(", ".join(stream.subjects)), stream.description) for stream in STREAMS)
    return "## Streams\n\n" + _table(("stream", "subjects", "stores"), rows)


def _overview() -> str:
    rows = (
        (f"[{event.type}](#{_anchor(event.type)})", event.stream, event.written_by, _first(event))
        for event in EVENTS
    )
    return "## All events\n\n" + _table(("event", "stream", "written by", "says"), rows)


def _first(event: type[Event]) -> str:
    text: str = schema(event)["description"]
    return text.partition("\n")[0]


def _event(event: type[Event]) -> str:
    described = schema(event)
    handled = (
        ", ".join(_code(consumer.name) for consumer in consumers_of(event)) or "no consumer (informational)"
    )
    facts = (
        ("model", _code(f"{event.__module__}.{event.__name__}")),
        ("subject", _code(address(event))),
        ("stream", event.stream),
        ("written by", event.written_by),
        ("handled by", handled),
    )
    sample = json.dumps(described["examples"][0], indent=2, ensure_ascii=False)
    return "\n\n".join(
        [
            f"## {event.type}",
            described["description"],
            _table(("", ""), facts),
            _table(("field", "type", "", "meaning"), _fields(described)),
            f"```json\n{sample}\n```",
        ]
    )


def _types() -> str:
    events = {event.__name__ for event in EVENTS}
    shared = {name: part for name, part in components(EVENTS).items() if name not in events}
    return "\n\n".join(["# Types", *(_type(name, part) for name, part in shared.items())])


def _type(name: str, described: Schema) -> str:
    if "enum" in described:
        inside = "\n".join(f"- `{value}`" for value in described["enum"])
    else:
        inside = _table(("field", "type", "", "meaning"), _fields(described))
    return f"## {name}\n\n{described['description']}\n\n{inside}"


def _fields(described: Schema) -> Iterator[tuple[str, str, str, str]]:
    needed = described.get("required", [])
    for name, field in described["properties"].items():
        presence = "always" if name in needed or "default" in field else "may be absent"
        yield _code(name), _type_of(field), presence, field["description"]


def _type_of(field: dict[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{_anchor(name)})"
    if field["type"] == "array":
        if "prefixItems" in field:
            return f"({', '.join(map(_type_of, field['prefixItems']))})"
        return f"list of {_type_of(field['items'])}"
    if field.get("format") == "date-time":
        return "time"
    return " or ".join(f"`{value}`" for value in field.get("enum", ())) or str(field["type"])


def _anchor(heading: str) -> str:
    return heading.lower().replace(".", "")


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
