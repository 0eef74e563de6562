"""An HTTP server of a few lines that answers by a script, byte for byte, and does the things real servers don't."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "RawRequest",
    "RawServer",
    "answer",
    "answer_json",
    "never_respond",
    "raw_server",
    "reset",
    "send_slowly",
]


@dataclass(frozen=True)
class RawRequest:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = Callable[[RawRequest, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Gives its replies in order and then repeats the last one; `asked` is set by the first of the `requests`."""

    replies: deque[Reply]
    url: str = ""
    requests: list[RawRequest] = field(default_factory=list)
    most_at_once: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    _at_once: int = 0
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def busy(self) -> bool:
        """Whether a request is being answered now."""
        return self._at_once > 0

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                await self._exchange(await _read(reader, writer), reader, writer)
        writer.close()

    async def stop(self) -> None:
        """End whatever is still being served."""
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _exchange(
        self, request: RawRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.requests.append(request)
        self.asked.set()
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
        try:
            await reply(request, reader, writer)
        finally:
            self._at_once -= 1


@asynccontextmanager
async def raw_server(*replies: Reply) -> AsyncIterator[RawServer]:
    """A server on a free port of 127.0.0.1."""
    raw = RawServer(deque(replies))
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        server.close()
        await raw.stop()


def answer(status: int, body: bytes, **headers: str) -> Reply:
    """A whole answer; underscores in header names stand for hyphens."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return _send("\r\n".join([*lines, "", ""]).encode() + body)


def answer_json(status: int, value: object, **headers: str) -> Reply:
    """A whole answer in JSON."""
    return answer(status, json.dumps(value).encode(), content_type="application/json", **headers)


def reset(sent: bytes = b"") -> Reply:
    """Send these bytes, then cut the connection."""

    async def reply(_: RawRequest, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()
        writer.transport.abort() if not sent else writer.close()

    return reply


def never_respond() -> Reply:
    """Say nothing until the client has gone."""

    async def reply(_: RawRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    return reply


def send_slowly(every: float) -> Reply:
    """Send a body without an end, a byte at a time, until the client has gone."""

    async def reply(_: RawRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        gone = False
        while not gone:
            writer.write(b" ")
            await writer.drain()
            with suppress(TimeoutError):
                gone = await asyncio.wait_for(reader.read(1), every) == b""

    return reply


def _send(data: bytes) -> Reply:
    async def reply(_: RawRequest, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return reply


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> RawRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    method, target, _ = first.split(" ")
    if "expect" in headers:  # boto3 waits a second for this before it sends the body
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    return RawRequest(
        method, target, headers, await reader.readexactly(int(headers.get("content-length", 0)))
    )
