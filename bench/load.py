"""A load generator that is light enough not to be the bottleneck: HTTP/1.1 over plain keep-alive sockets."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Load:
    """The number of responses by status, and the duration of the load."""

    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Successful responses per second."""
        return round(self.statuses[200] / self.seconds, 1)


async def post(url: str, body: bytes, *, connections: int, seconds: float, headers: dict[str, str]) -> Load:
    """POST `body` repeatedly over `connections` connections for `seconds`."""
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()] + [f"content-length: {len(body)}"]
    request = "\r\n".join([*lines, "", ""]).encode() + body
    load = Load(seconds)
    until = time.perf_counter() + seconds
    workers = [
        _worker(parts.hostname or "", parts.port or 80, request, until, load) for _ in range(connections)
    ]
    await asyncio.gather(*workers)
    return load


async def _worker(host: str, port: int, request: bytes, until: float, load: Load) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        while time.perf_counter() < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
            await reader.readexactly(int(fields.get(b"content-length", b"0")))
            load.statuses[int(head.split(b" ", 2)[1])] += 1
    finally:
        writer.close()
