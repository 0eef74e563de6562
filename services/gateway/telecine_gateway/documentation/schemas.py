"""Parts of the OpenAPI document: patterns of texts, as exact as JSON Schema can be, bodies, links, security schemes.

What JSON Schema can't express is left to validation: that a cursor was given out, that a host is public, that a time
lies in the future, that no text command is in a prompt. Pure.
"""

from typing import Any

from pydantic import BaseModel

__all__ = [
    "BLANK",
    "LINES",
    "NAME",
    "NOT_BLANK",
    "ONE_LINE",
    "REQUIRED",
    "REQUIRED_TEXT",
    "SCHEMA",
    "SECURITY_SCHEMES",
    "URL",
    "request_body",
    "response_links",
]

REQUIRED = "x-required"
"""In the schema of a parameter that the route itself requires, with an error of its own."""
SCHEMA = "x-schema"
"""In the schema of a parameter that validation reads as a text: the schema that the document shows instead."""

_BLANKS = "\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_OVERRIDES = "\u202a-\u202e"
ONE_LINE = f"^[^\\u0000-\\u001f\\u007f-\\u009f{_OVERRIDES}]*$"
"""A text without control characters and overrides of direction."""
LINES = f"^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f{_OVERRIDES}]*$"
"""The same with tabs and line ends."""
_INNER = f"[^\\u0000-\\u001f\\u007f-\\u009f{_OVERRIDES}]"
_EDGE = f"[^{_BLANKS}\\u0000-\\u001f\\u007f-\\u009f{_OVERRIDES}]"
NAME = f"^{_EDGE}({_INNER}*{_EDGE})?$"
"""A text of one line that neither is empty nor begins or ends with a blank."""
URL = f"^[{_BLANKS}\\t\\r\\n]*$|^[Hh][Tt][Tt][Pp][Ss]?://[^{_BLANKS}\\u0000-\\u001f\\u007f-\\u009f\\\\]+$"
"""An absolute http(s) URL, or nothing but blanks."""
NOT_BLANK = {"type": "string", "pattern": f"[^{_BLANKS}\\t\\r\\n]"}
BLANK = {"anyOf": [{"type": "null"}, {"type": "string", "pattern": f"^[{_BLANKS}\\t\\r\\n]*$"}]}
REQUIRED_TEXT: dict[str, Any] = {REQUIRED: True, "minLength": 1}
"""Of a parameter that the route itself requires."""
SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key as `Authorization: Bearer tk_…`, or a token of the configured issuer",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key"},
}


def request_body(
    model: type[BaseModel],
    examples: dict[str, dict[str, Any]],
    *,
    schema: dict[str, Any] | None = None,
    required: bool = True,
) -> dict[str, Any]:
    """`openapi_extra` of a route with a body: its schema, unless a more exact one is given, and examples by name."""
    values = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": schema or model.model_json_schema(), "examples": values}}
    return {"requestBody": {"required": required, "content": content}}


def response_links(*links: tuple[str, dict[str, str]]) -> dict[str, Any]:
    """Links of a response: the operations that can follow, and where the response has their parameters."""
    named = {
        f"{operation}-{number}": {"operationId": operation, "parameters": parameters}
        for number, (operation, parameters) in enumerate(links, 1)
    }
    return {"links": named}
