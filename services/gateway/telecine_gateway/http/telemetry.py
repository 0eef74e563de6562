"""Every request in its trace, measured, and with its ids on every log line."""

import secrets
from contextlib import AbstractContextManager
from time import perf_counter

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from telecine_chassis.telemetry.trace_context import TRACEPARENT_HEADER, trace_log_fields
from telecine_chassis.telemetry.tracing import Span, SpanKind, Tracing, current_log_fields, mark_failed

from .metrics import HttpMetrics

__all__ = ["TelemetryMiddleware"]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "OTHER"
PROBES = frozenset({"/healthz", "/readyz"})
"""Asked for every few seconds by whatever watches over this process: they would hide the rest."""
UNMATCHED = "unmatched"
"""The route of a request that no route is for."""


class TelemetryMiddleware:
    """The outermost layer, plain ASGI. Neither path nor query is told: they hold ids, tokens and signatures."""

    def __init__(self, app: ASGIApp, tracing: Tracing, meters: HttpMetrics) -> None:
        self._app = app
        self._tracing = tracing
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else OTHER
        status, began = 0, perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        structlog.contextvars.clear_contextvars()
        if scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        with self._meters.running.track_inprogress(), self._entering(scope, method) as span:
            structlog.contextvars.bind_contextvars(**current_log_fields())
            try:
                await self._app(scope, receive, sending)
            finally:
                route = getattr(scope.get("route"), "path", UNMATCHED)
                self._meters.requests.labels(route, method, str(status or "none")).inc()
                self._meters.seconds.labels(route, method).observe(perf_counter() - began)
                _describe(span, method, route, status)

    def _entering(self, scope: Scope, method: str) -> AbstractContextManager[Span]:
        given = next((value for name, value in scope["headers"] if name == TRACEPARENT_HEADER.encode()), b"")
        parent: str | None = given.decode("latin-1")
        if not trace_log_fields(parent):
            parent = None if self._tracing.records else _new_traceparent()
        elif parent is not None and self._tracing.records:
            parent = self._tracing.apply_sampling(parent)
        attributes = {"http.request.method": method}
        return self._tracing.entry_span(method, kind=SpanKind.SERVER, parent=parent, attributes=attributes)


def _new_traceparent() -> str:
    """The beginning of a trace, which the events carry even if nobody records it."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def _describe(span: Span, method: str, route: str, status: int) -> None:
    span.update_name(f"{method} {route}")
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500 or not status:
        mark_failed(span, str(status or "no answer"))
