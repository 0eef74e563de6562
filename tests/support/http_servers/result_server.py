"""A provider's file server that does as it is told, faults included."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """One answer. `length` None leaves the announcement out; `cut_after` ends the connection after so many bytes,
    `hold` keeps it open until the event is set."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    content_type: str | None = "video/mp4"
    length: int | None = -1
    cut_after: int | None = None
    hold: asyncio.Event | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def head(self) -> bytes:
        length = len(self.body) if self.length == -1 and isinstance(self.body, bytes) else self.length
        lines = [f"HTTP/1.1 {self.status} Told", "Connection: close"]
        lines += [f"Content-Length: {length}"] if length is not None else []
        lines += [f"Content-Type: {self.content_type}"] if self.content_type else []
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def pieces(self) -> Iterable[bytes]:
        if isinstance(self.body, bytes):
            return (self.body[: self.cut_after],)
        return self.body


@dataclass
class ResultServer:
    """Answers GET by path; `asked` holds every request as its lines."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def at(self, path: str, answer: Answer) -> str:
        """Put the answer at the path; its URL."""
        self.answers[path] = answer
        return self.url + path

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            self.asked.append(lines[:-2])
            answer = self.answers.get(lines[0].split(" ")[1], Answer(status=404))
            writer.write(answer.head())
            for piece in answer.pieces():
                writer.write(piece)
                await writer.drain()
            if answer.hold:
                await answer.hold.wait()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def result_server() -> AsyncIterator[ResultServer]:
    """A server on a free port of this machine, gone when the block ends."""
    results = ResultServer()
    server = await asyncio.start_server(results.handle, "127.0.0.1", 0)
    results.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield results
        server.close()
