"""A load generator that is light enough not to be the bottleneck: HTTP/1.1 over plain keep-alive sockets."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Load:
    """The number of responses by status, their latencies in seconds, and the duration of the load in seconds."""

    seconds: float
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Successful responses per second."""
        return round(self.statuses[200] / self.seconds, 1)

    @property
    def median_ms(self) -> float:
        """The median latency in milliseconds."""
        return round(1000 * statistics.median(self.latencies), 2)


async def get(url: str, *, connections: int, seconds: float, headers: Mapping[str, str]) -> Load:
    """GET `url` repeatedly over `connections` connections for `seconds`."""
    return await _run("GET", url, b"", connections, seconds, headers)


async def post(
    url: str,
    body: bytes,
    *,
    connections: int,
    seconds: float,
    headers: Mapping[str, str],
    most: int | None = None,
) -> Load:
    """POST `body` repeatedly over `connections` connections for `seconds`, or `most` times."""
    headers = {"content-type": "application/json", **headers, "content-length": str(len(body))}
    return await _run("POST", url, body, connections, seconds, headers, most)


async def _run(
    method: str,
    url: str,
    body: bytes,
    connections: int,
    seconds: float,
    headers: Mapping[str, str],
    most: int | None = None,
) -> Load:
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {target} HTTP/1.1", f"host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = "\r\n".join([*lines, "", ""]).encode() + body
    load, begun = Load(seconds), time.perf_counter()
    worker = _Worker(request, begun + seconds, load, most)
    await asyncio.gather(*(worker.run(parts.hostname or "", parts.port or 80) for _ in range(connections)))
    load.seconds = time.perf_counter() - begun
    return load


@dataclass
class _Worker:
    request: bytes
    until: float
    load: Load
    most: int | None
    sent: int = 0

    async def run(self, host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            while (begun := time.perf_counter()) < self.until and (
                self.most is None or self.sent < self.most
            ):
                self.sent += 1
                writer.write(self.request)
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(
                    line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
                )
                await reader.readexactly(int(fields.get(b"content-length", b"0")))
                self.load.statuses[int(head.split(b" ", 2)[1])] += 1
                self.load.latencies.append(time.perf_counter() - begun)
        finally:
            writer.close()
