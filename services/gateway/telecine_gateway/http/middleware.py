"""The layers around the routes, as plain ASGI: a wrapper that copied every body would cost more than most requests.

From the outermost to the innermost:

    TelemetryMiddleware       a span, the metrics, and the ids on every log line
    ApiMiddleware             HEAD, request ids, security headers, and a 500 for an unexpected error
    TextValidationMiddleware  400 for a path or query with text that must not be stored or shown
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from random import Random
from time import perf_counter
from typing import Any
from urllib.parse import unquote_to_bytes

import structlog
from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telecine_chassis.telemetry.metrics import LONG_BUCKETS, Metrics
from telecine_chassis.telemetry.trace_context import TRACEPARENT_HEADER, trace_log_fields
from telecine_chassis.telemetry.tracing import Span, SpanKind, Tracing, current_log_fields, mark_failed
from telecine_contracts.characters import unfit

from .errors import ApiError, failure_body, json_response
from .schemas import ErrorCode

__all__ = ["ApiMiddleware", "install_middleware", "is_head"]

log = structlog.get_logger(__name__)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "OTHER"
"""In telemetry, every other method: a client may invent any number of them."""
PROBES = frozenset({"/healthz", "/readyz"})
"""Polled every few seconds by supervisors: their spans and metrics would hide the others."""
UNMATCHED = "unmatched"
"""In telemetry, the route of a request that matches none."""
HEAD = "telecine.head"
"""Set in the scope of a request whose method was HEAD."""
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
NO_STORE = (b"cache-control", b"no-store")
_random = Random()  # noqa: S311
"""For the ids of requests and traces, which need not be secret: random bytes of the system cost far more."""
_MAX_NAME_SHOWN = 64
"""Characters of a parameter's name that an error repeats."""


def install_middleware(app: FastAPI, tracing: Tracing, metrics: Metrics) -> None:
    """Wrap the routes of `app` in all layers."""
    # The layer that is added last is the outermost.
    app.add_middleware(TextValidationMiddleware)
    app.add_middleware(ApiMiddleware)
    app.add_middleware(TelemetryMiddleware, tracing=tracing, metrics=HttpMetrics(metrics))


class HttpMetrics:
    """Requests by route template: by path, there would be a time series for every generation."""

    def __init__(self, metrics: Metrics) -> None:
        self.requests = metrics.counter(
            "telecine_http_requests", "Requests by route, method and status", "route", "method", "status"
        )
        self.seconds = metrics.histogram(
            "telecine_http_request_duration_seconds",
            "How long requests take, until the last byte is sent",
            "route",
            "method",
            bounds=LONG_BUCKETS,
        )
        self.running = metrics.gauge("telecine_http_requests_running", "Requests under way")


class TelemetryMiddleware:
    """Traces and measures requests. Paths and queries are left out: they hold ids, tokens and signatures."""

    def __init__(self, app: ASGIApp, tracing: Tracing, metrics: HttpMetrics) -> None:
        self._app = app
        self._tracing = tracing
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else OTHER
        status, began = 0, perf_counter()

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        # Several requests of one connection share a context.
        structlog.contextvars.clear_contextvars()
        if scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        with self._metrics.running.track_inprogress(), self._span(scope, method) as span:
            structlog.contextvars.bind_contextvars(**current_log_fields())
            try:
                await self._app(scope, receive, send_and_note_status)
            finally:
                route = getattr(scope.get("route"), "path", UNMATCHED)
                self._metrics.requests.labels(route, method, str(status or "none")).inc()
                self._metrics.seconds.labels(route, method).observe(perf_counter() - began)
                _describe(span, method, route, status)

    def _span(self, scope: Scope, method: str) -> AbstractContextManager[Span]:
        given = next((value for name, value in scope["headers"] if name == TRACEPARENT_HEADER.encode()), b"")
        parent: str | None = given.decode("latin-1")
        if not trace_log_fields(parent):
            parent = None if self._tracing.records else _new_traceparent()
        elif parent is not None and self._tracing.records:
            parent = self._tracing.apply_sampling(parent)
        attributes = {"http.request.method": method}
        return self._tracing.entry_span(method, kind=SpanKind.SERVER, parent=parent, attributes=attributes)


def _new_traceparent() -> str:
    """The start of a trace. Events carry its id even if no span is recorded, so that logs can be joined by it."""
    return f"00-{_random.getrandbits(128) or 1:032x}-{_random.getrandbits(64) or 1:016x}-01"


def _describe(span: Span, method: str, route: str, status: int) -> None:
    span.update_name(f"{method} {route}")
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500 or not status:
        mark_failed(span, str(status or "no answer"))


def is_head(request: Request) -> bool:
    """Whether a GET route answers a HEAD request, whose response has no body (RFC 9110, 9.3.2)."""
    return HEAD in request.scope


class ApiMiddleware:
    """What all responses share."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"{_random.getrandbits(64):016x}"
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = _with_headers(message.get("headers", []), request_id)
            await send(message)

        # The server drops the body of a response to HEAD.
        inner = {**scope, "method": "GET", HEAD: True} if scope.get("method") == "HEAD" else scope
        try:
            await self._app(inner, receive, send_with_headers)
        except Exception as error:
            # The route's template, not its path: a path may hold a token.
            route = getattr(inner.get("route"), "path", None)
            log.error("http.failed", route=route, exc_info=error)
            if not started:
                body = failure_body(
                    scope, ErrorCode.INTERNAL_ERROR, "Internal server error", request_id=request_id
                )
                await json_response(500, body)(scope, receive, send_with_headers)
        finally:
            # The router writes the route into the copy of the scope that a HEAD request got.
            if "route" in inner:
                scope["route"] = inner["route"]


def _with_headers(headers: Any, request_id: str) -> list[tuple[bytes, bytes]]:
    all_headers = [*headers, *HEADERS, (b"x-request-id", request_id.encode())]
    if not any(name == b"cache-control" for name, _ in headers):
        all_headers.append(NO_STORE)
    return all_headers


class TextValidationMiddleware:
    """Refuses paths and queries with text that must not be stored, shown or compared.

    The framework would replace bytes that are not UTF-8 by U+FFFD, so the request would be about another text than was
    sent; and databases differ in what they accept: Postgres refuses NUL. Bodies are validated by their models, and no
    header's text is stored.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = next(_text_problems(scope), None) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await json_response(problem.status, problem.body)(scope, receive, send)


def _text_problems(scope: Scope) -> Iterator[ApiError]:
    path = scope.get("raw_path") or scope["path"].encode()
    if characters := _unfit(path):
        yield ApiError.invalid_field("path", f"must not contain {characters}")
    for pair in scope.get("query_string", b"").split(b"&"):
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        if characters := _unfit(name):
            message = f"must not have a parameter whose name contains {characters}"
            yield ApiError.invalid_field("query", message)
        elif characters := _unfit(value):
            shown = unquote_to_bytes(name).decode()[:_MAX_NAME_SHOWN]
            yield ApiError.invalid_field(shown, f"must not contain {characters}")


def _unfit(quoted: bytes) -> str | None:
    try:
        return unfit(unquote_to_bytes(quoted).decode())
    except UnicodeDecodeError:
        return "bytes that are not UTF-8"
