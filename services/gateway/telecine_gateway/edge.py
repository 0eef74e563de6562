"""The outermost layer of the API: header limits, request ids, security headers, and no failure without an answer."""

import secrets
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import answer, failure

__all__ = ["Edge"]

log = structlog.get_logger(__name__)
MAX_HEADER_BYTES = 16 * 1024
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
NO_STORE = (b"cache-control", b"no-store")


class Edge:
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
                message["headers"] = _dressed(message.get("headers", []), request_id)
            await send(message)

        try:
            if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
                await answer(431, {"error": "The request's headers are too large"})(scope, receive, sending)
                return
            await self._app(scope, receive, sending)
        except Exception as error:
            # The route's template, not its path: a path may hold a token.
            route = getattr(scope.get("route"), "path", None)
            log.error("http.failed", route=route, exc_info=error)
            if not started:
                body = failure(scope, "Internal server error") | {"requestId": request_id}
                await answer(500, body)(scope, receive, sending)


def _dressed(headers: Any, request_id: str) -> list[tuple[bytes, bytes]]:
    dressed = [*headers, *HEADERS, (b"x-request-id", request_id.encode())]
    if not any(name == b"cache-control" for name, _ in headers):
        dressed.append(NO_STORE)
    return dressed
