"""Error responses of the HTTP server itself, in the API's format, and the rules for request headers."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["ERROR_CODES", "HttpError", "error_app", "head_error", "json_body", "json_headers"]

HttpError = tuple[int, str]
"""Status and message."""
ERROR_CODES = {
    400: "invalid",
    408: "request_timeout",
    431: "header_too_large",
    501: "not_supported",
    503: "unavailable",
    505: "not_supported",
}
"""`code` of an error response, for programs, by its status."""
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{0,5})?")


def head_error(version: str, headers: Sequence[tuple[bytes, bytes]]) -> HttpError | None:
    """The error in a request's header, or None."""
    if version == "2.0":
        return 505, "HTTP/2.0 is not supported here; use HTTP/1.1"
    if version not in ("1.0", "1.1"):
        return 400, "The request is not valid HTTP/1.1"
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 and (hosts or version == "1.1"):
        return 400, "The request must have exactly one Host header"
    if hosts and not _HOST.fullmatch(hosts[0]):
        return 400, "The Host header must be a host name or address, optionally with a port"
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and codings != [b"chunked"]:
        return 501, "The only supported Transfer-Encoding is chunked"
    return None


def json_body(status: int, message: str) -> bytes:
    """The body of an error response."""
    return json.dumps({"error": message, "code": ERROR_CODES[status]}, separators=(",", ":")).encode()


def json_headers(status: int, message: str) -> list[tuple[bytes, bytes]]:
    """The headers of an error response after which the connection is closed."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(json_body(status, message))).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    return [*headers, (b"retry-after", b"1")] if status == 503 else headers


def error_app(status: int, message: str) -> Callable[..., Any]:
    """An ASGI application that always responds with this error."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        headers = json_headers(status, message)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json_body(status, message)})

    return application
