"""The chassis' HTTP server on the production event loop, and raw connections to it."""

import asyncio
import json
import resource
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import uvloop

from telecine_chassis.http_server.limits import HttpLimits
from telecine_chassis.http_server.server import HttpServer
from telecine_chassis.runtime.health import HealthEndpoints

__all__ = ["Reply", "begin_connection", "connect", "exchange", "read_reply", "running_server"]

LOOPBACK = "127.0.0.1"
JSON = (b"content-type", b"application/json")
READ_TIMEOUT = 20
"""Seconds after which a read that gets nothing fails the test."""


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """`/endless` never stops; `/refuse` and `/deny` do not read the body; the rest shows the request."""
    if scope["path"] == "/endless":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await asyncio.wait_for(receive(), 5))["type"] != "http.disconnect":
            for _ in range(200):
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        return
    if scope["path"] in ("/refuse", "/deny"):
        extra = [(b"connection", b"close")] if scope["path"] == "/refuse" else []
        await _answer(send, 413, {"error": "refused"}, *extra)
        return
    if scope["path"] == "/hold":
        await receive()
        await receive()  # until the client goes
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
    await _answer(send, 200, {"path": scope["path"], "headers": headers, "body": body.decode()})


async def _answer(send: Any, status: int, value: Any, *extra: tuple[bytes, bytes]) -> None:
    body = json.dumps(value).encode()
    headers = [JSON, (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def running_server(**changes: Any) -> Iterator[HttpServer]:
    """A server with these limits, in a thread of its own."""
    server = HttpServer(application, LOOPBACK, 0, grace=1, limits=replace(HttpLimits(), **changes))
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(READ_TIMEOUT)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(READ_TIMEOUT)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def connect(port: int) -> socket.socket:
    """A connection that fails a read after a while instead of waiting."""
    return socket.create_connection((LOOPBACK, port), timeout=READ_TIMEOUT)


def begin_connection(port: int) -> socket.socket:
    """A connection that the kernel makes in its own time."""
    opened = socket.socket()
    opened.setblocking(False)
    opened.connect_ex((LOOPBACK, port))
    return opened


@dataclass(frozen=True)
class Reply:
    """A response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def read_reply(opened: socket.socket) -> Reply:
    """The next response, which has a Content-Length."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        more = opened.recv(1)
        assert more, f"closed after {raw!r}"
        raw += more
    first, *lines = raw.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body, length = b"", int(headers.get("content-length", 0))
    while len(body) < length:
        more = opened.recv(length - len(body))
        assert more, f"closed after {body!r}"
        body += more
    return Reply(int(first.split(" ")[1]), headers, body)


def exchange(port: int, *segments: bytes) -> Reply:
    """Send the segments one after another on a new connection; the first response."""
    with connect(port) as opened:
        for segment in segments:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.sendall(segment)
        return read_reply(opened)


async def _two_servers() -> None:
    """A public and an admin port, as in a service; prints both."""
    from telecine_chassis.http_server.limits import ADMIN_LIMITS

    async def ready() -> None:
        return None

    async def metrics() -> bytes:
        return b""

    public = HttpServer(application, LOOPBACK, 0)
    admin = HttpServer(HealthEndpoints(lambda: None, ready, metrics), LOOPBACK, 0, limits=ADMIN_LIMITS)
    await public.start()
    await admin.start()
    print(public.port, admin.port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
    uvloop.run(_two_servers())
