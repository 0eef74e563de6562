"""Serve an ASGI app inside a service's own event loop."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, cast

import structlog
import uvicorn

from telecine_chassis.runtime.supervision import report_task_end

from .limits import HttpLimits, descriptor_limit
from .protocol import BoundedProtocol, ConnectionQueue

__all__ = ["HttpServer"]

log = structlog.get_logger(__name__)
FIRST_REQUEST = 1
"""Seconds at a stop that a connection without a request gets to send one."""
NEXT_REQUEST = 0.2
"""Seconds at a stop that a keep-alive connection gets to send its next request."""
CONNECTION_CLOSE = (b"connection", b"close")


class _Server(uvicorn.Server):
    """A uvicorn server that serves the requests that arrive while it stops, where uvicorn resets connections."""

    def __init__(self, config: uvicorn.Config, limits: HttpLimits) -> None:
        super().__init__(config)
        shortest = min(
            limits.head_timeout, limits.idle_timeout, limits.progress_timeout, limits.drain_timeout
        )
        self._check_interval = min(1.0, shortest / 4)
        self._checked = 0.0

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second: also enforce the deadlines of connections."""
        now = asyncio.get_running_loop().time()
        if now - self._checked >= self._check_interval:
            self._checked = now
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.check(now)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the service, which stops its components in order."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse new connections, serve open ones once more with "connection: close", then stop like uvicorn."""
        for connection in self._refuse_others():
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        self.close_keepalive()
        await self._linger()
        await super().shutdown(sockets)

    def close_keepalive(self) -> None:
        """Make every further response the last on its connection."""
        if CONNECTION_CLOSE not in self.server_state.default_headers:
            self.server_state.default_headers.append(CONNECTION_CLOSE)

    def _refuse_others(self) -> list[socket.socket]:
        """Stop listening; the connections that the kernel has accepted, but the server has not."""
        waiting: list[socket.socket] = []
        for server in self.servers:
            kept = [socket.socket(fileno=os.dup(each.fileno())) for each in server.sockets]
            server.close()
            for each in kept:
                with each, suppress(BlockingIOError):
                    each.setblocking(False)
                    while True:
                        waiting.append(each.accept()[0])
        return waiting

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        made: asyncio.Protocol = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def _linger(self) -> None:
        now = asyncio.get_running_loop().time
        start = now()
        while connections := self.server_state.connections:
            silent = any(getattr(each, "cycle", self) is None for each in connections)
            if now() - start > (FIRST_REQUEST if silent else NEXT_REQUEST):
                return
            await asyncio.sleep(0.01)


class HttpServer:
    """A component that serves `app` on `host`:`port` (0: a free port). `grace`: seconds for open requests at a stop.

    `notice`: seconds at a stop in which new requests are still served. The service is not ready meanwhile, so that the
    load balancer sends requests elsewhere.
    """

    def __init__(
        self,
        app: Any,
        host: str,
        port: int,
        *,
        grace: float = 15,
        notice: float = 0,
        limits: HttpLimits | None = None,
    ) -> None:
        limits = (limits or HttpLimits()).within(descriptor_limit())
        waiting: ConnectionQueue = {}
        protocol = partial(BoundedProtocol, limits=limits, waiting=waiting)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            # By default, uvicorn believes any X-Forwarded-For from this machine.
            proxy_headers=False,
            timeout_graceful_shutdown=int(grace),
            timeout_keep_alive=cast(int, limits.idle_timeout),  # its type is int, but uvicorn accepts a float
            http=cast(Any, protocol),
            # The whole queue is accepted at once, before the limit is checked: it must fit beside the connections.
            backlog=limits.connections,
        )
        self._server = _Server(config, limits)
        self._notice = notice
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
        report_task_end(self._task)

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit:
            host, port = self._server.config.host, self._server.config.port
            raise OSError(f"cannot listen on {host}:{port}") from None

    async def stop(self) -> None:
        """Serve for `notice` seconds more, refuse new connections, let open requests finish, close."""
        self._server.close_keepalive()
        await asyncio.sleep(self._notice)
        self._server.should_exit = True
        if self._task is not None:
            await self._task
