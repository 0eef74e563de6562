"""A stopping server serves existing connections: first requests, next requests, and the listen queue."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from telecine_chassis.http_server.server import HttpServer
from telecine_cli.stack.ports import LOOPBACK

REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


async def hello(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


class RawClient:
    """One connection."""

    def __init__(self, opened: socket.socket) -> None:
        self._opened = opened

    @classmethod
    def to(cls, server: HttpServer) -> "RawClient":
        """Connect without letting the server's loop run: only the kernel has accepted the connection."""
        return cls(socket.create_connection((LOOPBACK, server.port)))

    async def ask(self) -> bytes:
        """The head of the answer to one request."""
        loop = asyncio.get_running_loop()
        self._opened.setblocking(False)
        await loop.sock_sendall(self._opened, REQUEST)
        answer = b""
        while not answer.endswith(b"hello"):
            more = await loop.sock_recv(self._opened, 4096)
            assert more, f"closed after {answer!r}"
            answer += more
        return answer.lower()

    async def closed(self) -> bool:
        """Whether the server has closed the connection."""
        return await asyncio.get_running_loop().sock_recv(self._opened, 1) == b""

    def close(self) -> None:
        self._opened.close()


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    server = HttpServer(hello, LOOPBACK, 0)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: HttpServer) -> AsyncIterator[RawClient]:
    client = RawClient.to(server)
    yield client
    client.close()


async def wait_until_refusing(server: HttpServer, port: int) -> None:
    """Until new connections are refused."""
    while True:
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, port)
        except ConnectionRefusedError:
            return
        writer.close()


async def test_a_first_request_is_answered(server: HttpServer, client: RawClient) -> None:
    port = server.port
    stopping = asyncio.create_task(server.stop())
    await wait_until_refusing(server, port)

    assert b"connection: close" in await client.ask()

    assert await client.closed()
    await stopping


async def test_a_next_request_is_answered_and_the_last(server: HttpServer, client: RawClient) -> None:
    assert b"connection: close" not in await client.ask()
    port = server.port
    stopping = asyncio.create_task(server.stop())
    await wait_until_refusing(server, port)

    assert b"connection: close" in await client.ask()

    assert await client.closed()
    await stopping


async def test_what_waits_in_the_queue_is_answered(server: HttpServer) -> None:
    waiting = [RawClient.to(server) for _ in range(5)]
    stopping = asyncio.create_task(server._server.shutdown())

    assert [b"200 ok" in answer for answer in await asyncio.gather(*(one.ask() for one in waiting))] == [
        True
    ] * 5

    await stopping
    for one in waiting:
        one.close()


async def test_request_during_shutdown_notice_gets_connection_close() -> None:
    server = HttpServer(hello, LOOPBACK, 0, notice=0.5)
    await server.start()
    port = server.port
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    late = RawClient.to(server)

    assert b"connection: close" in await late.ask()

    assert await late.closed()
    assert not stopping.done()
    await wait_until_refusing(server, port)
    await stopping
    late.close()


async def test_stop_without_connections_does_not_wait(server: HttpServer, client: RawClient) -> None:
    lonely = HttpServer(hello, LOOPBACK, 0)
    await lonely.start()
    with_connection = asyncio.create_task(server.stop())
    await lonely.stop()
    assert not with_connection.done()
    await with_connection


async def test_idle_connection_delays_stop_briefly(server: HttpServer, client: RawClient) -> None:
    loop = asyncio.get_running_loop()
    before = loop.time()
    await server.stop()
    assert 1 <= loop.time() - before < 3
    assert await client.closed()
