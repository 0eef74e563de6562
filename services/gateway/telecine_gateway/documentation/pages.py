"""Two pages for readers: the routes of the API, and the events. They load nothing."""

from collections.abc import Iterable, Iterator
from typing import Any

from telecine_contracts import Event
from telecine_contracts.asyncapi import address
from telecine_contracts.schemas import schema
from telecine_gateway.templates.environment import content_security_policy, template_environment

__all__ = ["CONTENT_SECURITY_POLICY", "events_page", "routes_page"]

_TEMPLATES = template_environment({})
CONTENT_SECURITY_POLICY = content_security_policy(_TEMPLATES.get_template("documentation.css").render())


def routes_page(document: dict[str, Any]) -> str:
    """Every route of an OpenAPI document."""
    template = _TEMPLATES.get_template("api.html")
    return template.render(document=document, operations=list(_operations(document)))


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield {
                "method": method.upper(),
                "path": path,
                "summary": operation.get("summary", ""),
                "description": operation.get("description", ""),
                "key": _key(operation.get("security", [])),
                "parameters": [
                    (parameter["name"], parameter["in"], parameter.get("description", ""))
                    for parameter in operation.get("parameters", ())
                ],
                "responses": sorted(
                    (status, response["description"]) for status, response in operation["responses"].items()
                ),
                **_body(operation),
            }


def _key(security: list[dict[str, list[str]]]) -> str:
    if not security:
        return "needs no key"
    scopes = " and ".join(scope for each in security[:1] for names in each.values() for scope in names)
    return f"needs an API key with scope {scopes}" if scopes else "needs an API key, of any scope"


def _body(operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    fields = content.get("schema", {}).get("properties", {})
    return {
        "fields": [(name, _type(field), field.get("description", "")) for name, field in fields.items()],
        "examples": [(name, example["value"]) for name, example in content.get("examples", {}).items()],
    }


def events_page(events: Iterable[type[Event]]) -> str:
    """Every event: its writer, subject and fields."""
    return _TEMPLATES.get_template("events.html").render(events=list(map(_event, events)))


def _event(event: type[Event]) -> dict[str, Any]:
    described = schema(event)
    required = set(described.get("required", ()))
    return {
        "type": event.type,
        "stream": event.stream,
        "written_by": event.written_by,
        "description": described["description"],
        "subject": address(event),
        "fields": [
            (name, _type(field), "" if name in required else "optional", field.get("description", ""))
            for name, field in described["properties"].items()
        ],
        "example": described["examples"][0],
    }


def _type(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    kinds = [_type(kind) for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
    if kinds:
        return " or ".join(kinds)
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    return str(field.get("format") or field.get("type", "any"))
