"""Two plain pages for people: the routes, and the events. Everything is in them; nothing is loaded from elsewhere."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from telecine_contracts import Event
from telecine_contracts.asyncapi import address
from telecine_contracts.schemas import schema

__all__ = ["CONTENT_SECURITY_POLICY", "content_security_policy", "events_page", "routes_page"]

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}
h2{margin-top:2.5rem;border-bottom:1px solid #ccc}code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:#f5f5f5;padding:.8rem;overflow:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid #eee}
.quiet{color:#666}
"""


def content_security_policy(style: str) -> str:
    """The policy of a page that has this style and nothing else: no script, no form, no frame, nothing loaded."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"{nothing}; style-src 'sha256-{digest}'"


CONTENT_SECURITY_POLICY = content_security_policy(_STYLE)


def routes_page(document: dict[str, Any]) -> str:
    """Every route of an OpenAPI document."""
    links = '<p><a href="/openapi.json">OpenAPI document</a> · <a href="/events">Events</a></p>'
    about = f"<p>{_prose(document['info']['description'])}</p>"
    parts = [_route(path, method, operation) for path, method, operation in _operations(document)]
    return _page("telecine: the API", [about, links, *parts])


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation


def _route(path: str, method: str, operation: dict[str, Any]) -> str:
    key = _key(operation.get("security", []))
    parameters = [
        (parameter["name"], parameter["in"], parameter.get("description", ""))
        for parameter in operation.get("parameters", ())
    ]
    answers = [(status, answer["description"]) for status, answer in operation["responses"].items()]
    return "".join(
        [
            f"<h2><code>{method.upper()} {escape(path)}</code></h2>",
            f'<p>{escape(operation.get("summary", ""))} <span class="quiet">({key})</span></p>',
            f"<p>{_prose(operation['description'])}</p>" if "description" in operation else "",
            _table(("parameter", "in", "meaning"), parameters) if parameters else "",
            _body(operation),
            _table(("answer", "when"), answers),
        ]
    )


def _key(security: list[dict[str, list[str]]]) -> str:
    if not security:
        return "needs no key"
    scopes = " and ".join(scope for each in security[:1] for names in each.values() for scope in names)
    return f"needs an API key with scope {scopes}" if scopes else "needs an API key, of any scope"


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    fields = [
        (name, _type(field), field.get("description", ""))
        for name, field in content.get("schema", {}).get("properties", {}).items()
    ]
    table = _table(("field of the body", "type", "meaning"), fields) if fields else ""
    examples = [example["value"] for example in content.get("examples", {}).values()]
    return table + "".join(f"<pre>{escape(json.dumps(example, indent=2))}</pre>" for example in examples)


def events_page(events: Iterable[type[Event]]) -> str:
    """Every event: who writes it, under which subject, what it says."""
    events = list(events)
    index = [
        (f'<a href="#{event.type}">{event.type}</a>', event.stream, event.written_by) for event in events
    ]
    links = '<p><a href="/events/asyncapi.json">AsyncAPI document</a> · <a href="/docs">The API</a></p>'
    rows = "".join(f"<tr><td>{name}</td><td>{stream}</td><td>{by}</td></tr>" for name, stream, by in index)
    head = "<tr><th>event</th><th>stream</th><th>written by</th></tr>"
    return _page("telecine: the events", [links, f"<table>{head}{rows}</table>", *map(_event, events)])


def _event(event: type[Event]) -> str:
    described = schema(event)
    needed = set(described.get("required", ()))
    fields = [
        (name, _type(field), "" if name in needed else "optional", field.get("description", ""))
        for name, field in described["properties"].items()
    ]
    example = json.dumps(described["examples"][0], indent=2, ensure_ascii=False)
    return "".join(
        [
            f'<h2 id="{escape(event.type)}">{escape(event.type)}</h2>',
            f"<p>{_prose(described['description'])}</p>",
            f"<p>Subject <code>{escape(address(event))}</code> on {event.stream}, written by {event.written_by}</p>",
            _table(("field", "type", "", "meaning"), fields),
            f"<details><summary>Example</summary><pre>{escape(example)}</pre></details>",
        ]
    )


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


def _prose(text: str) -> str:
    """Text with `code` in backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{_prose(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{names}</tr>{body}</table>"


def _page(title: str, parts: Iterable[str]) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{''.join(parts)}</body></html>"
    )
