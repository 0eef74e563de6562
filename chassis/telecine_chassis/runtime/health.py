"""The endpoints /healthz, /readyz and /metrics of a service."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from telecine_chassis.telemetry.metrics import CONTENT_TYPE

__all__ = ["HealthEndpoints"]

log = structlog.get_logger(__name__)


class HealthEndpoints:
    """An ASGI application for supervisors, load balancers and Prometheus; not for the public.

    `/healthz` and `/readyz` respond with 200, or with 503 and the problem that `alive` or `ready` returns. `/metrics`
    is the page of `metrics`.
    """

    def __init__(
        self,
        alive: Callable[[], str | None],
        ready: Callable[[], Awaitable[str | None]],
        metrics: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._alive = alive
        self._ready = ready
        self._metrics = metrics

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        try:
            status, kind, body = await self._answer(scope["path"])
        except Exception as error:
            log.error("admin.failed", path=scope["path"], exc_info=error)
            status, kind, body = 500, "application/json", b'{"error": "Internal server error"}'
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, path: str) -> tuple[int, str, bytes]:
        match path:
            case "/healthz":
                return _health(self._alive())
            case "/readyz":
                return _health(await self._ready())
            case "/metrics":
                return 200, CONTENT_TYPE, await self._metrics()
            case _:
                return 404, "application/json", b'{"error": "Not found"}'


def _health(problem: str | None) -> tuple[int, str, bytes]:
    body = {"status": "unavailable", "error": problem} if problem else {"status": "ok"}
    return 503 if problem else 200, "application/json", json.dumps(body).encode()
