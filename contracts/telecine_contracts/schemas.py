"""JSON Schema (2020-12) of every event version, for readers in any language."""

import json
import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from .examples import example
from .message import Event
from .registry import encode

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def schema(event: type[Event]) -> Schema:
    """The self-contained JSON Schema of one event's body, with an example."""
    body: Schema = _readable(event.model_json_schema(schema_generator=_Published))
    names = {"$schema": DIALECT, "$id": f"urn:telecine:event:{event.type}"}
    head = {name: body.pop(name) for name in ("title", "description", "type", "properties", "required")}
    return names | head | body | {"examples": [sample(event)]}


def components(events: tuple[type[Event], ...]) -> dict[str, Schema]:
    """The same schemas by class name, with shared definitions, for a document with ``#/components/schemas``."""
    _, together = models_json_schema(
        [(event, "validation") for event in events],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Published,
    )
    parts: dict[str, Schema] = _readable(together["$defs"])
    return dict(sorted(parts.items()))


def sample(event: type[Event]) -> Any:
    """The example body of an event, decoded from JSON."""
    return json.loads(encode(example(event)))


def markdown(docstring: str) -> str:
    """A docstring as Markdown: one line per paragraph, single backticks."""
    paragraphs = re.split(r"\n\s*\n", docstring.strip())
    return "\n\n".join(" ".join(text.split()).replace("``", "`") for text in paragraphs)


def _readable(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_readable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _readable(part) for name, part in schema.items()}
    if isinstance(found.get("description"), str):
        found["description"] = markdown(found["description"])
    return found


class _Published(GenerateJsonSchema):
    """Schema of what is written, not of all that is accepted: absent fields are left out, so no field may be null."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        return {name: value for name, value in found.items() if name != "default" or value is not None}
