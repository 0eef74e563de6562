"""The outermost layer of the API: HEAD, request ids, security headers, and no failure without an answer."""

import secrets
from typing import Any

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import failure_body, json_response
from .schemas import ErrorCode

__all__ = ["ApiMiddleware", "is_head"]

log = structlog.get_logger(__name__)
HEAD = "telecine.head"
"""Set in the scope of a request whose method was HEAD."""
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
NO_STORE = (b"cache-control", b"no-store")


def is_head(request: Request) -> bool:
    """Whether a GET route answers a HEAD request, whose response has no body (RFC 9110, 9.3.2)."""
    return HEAD in request.scope


class ApiMiddleware:
    """Plain ASGI, since a wrapper that copies every body would cost more than the request itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _with_headers(message.get("headers", []), request_id)
            await send(message)

        # The server drops the body of a response to HEAD.
        inner = {**scope, "method": "GET", HEAD: True} if scope.get("method") == "HEAD" else scope
        try:
            await self._app(inner, receive, sending)
        except Exception as error:
            # The route's template, not its path: a path may hold a token.
            route = getattr(inner.get("route"), "path", None)
            log.error("http.failed", route=route, exc_info=error)
            if not started:
                body = failure_body(
                    scope, ErrorCode.INTERNAL_ERROR, "Internal server error", request_id=request_id
                )
                await json_response(500, body)(scope, receive, sending)
        finally:
            if "route" in inner:
                scope["route"] = inner["route"]


def _with_headers(headers: Any, request_id: str) -> list[tuple[bytes, bytes]]:
    dressed = [*headers, *HEADERS, (b"x-request-id", request_id.encode())]
    if not any(name == b"cache-control" for name, _ in headers):
        dressed.append(NO_STORE)
    return dressed
