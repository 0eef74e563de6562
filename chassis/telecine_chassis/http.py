"""Serve an ASGI app inside a service's own event loop, and answer for the service's health."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

__all__ = ["HttpServer", "health_app"]

App = Callable[..., Awaitable[None]]


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the service, which stops its parts in order."""
        yield


class HttpServer:
    """A part of a service: serves `app` on `host`:`port` (0: a free port). `grace`: seconds for open requests."""

    def __init__(self, app: Any, host: str, port: int, *, grace: float = 15) -> None:
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=int(grace),
            h11_max_incomplete_event_size=16 * 1024,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port in use, once started."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError when the address is taken."""
        self._task = asyncio.create_task(self._serve(), name="http")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise OSError("the HTTP server did not start")
            await asyncio.sleep(0.005)

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit:
            host, port = self._server.config.host, self._server.config.port
            raise OSError(f"cannot listen on {host}:{port}") from None

    async def stop(self) -> None:
        """Refuse new connections, let open requests finish, close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


def health_app(ready: Callable[[], Awaitable[str | None]]) -> App:
    """`/healthz`: the process runs. `/readyz`: 200 when `ready` gives None, else 503 with what it says is missing."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        problem = await ready() if scope["path"] == "/readyz" else None
        known = scope["path"] in ("/healthz", "/readyz")
        status = 404 if not known else 503 if problem else 200
        body = {"error": "Not found"} if not known else {"status": "unavailable", "error": problem}
        answer = json.dumps({"status": "ok"} if status == 200 else body).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app
