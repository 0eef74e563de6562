"""In-memory source for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from .port import Download, SourceError, SourceNotReady, SourceRefused


@dataclass
class MemorySource:
    """Returns `results[url]`: bytes, or an error to raise. `cut_after` truncates every download to that length."""

    results: dict[str, bytes | SourceError] = field(default_factory=dict)
    content_type: str | None = "video/mp4"
    announce_length: bool = True
    cut_after: int | None = None
    chunk_bytes: int = 64 * 1024

    @asynccontextmanager
    async def open(self, url: str, *, max_bytes: int) -> AsyncIterator[Download]:
        result = self.results.get(url, SourceRefused("answered 404"))
        if isinstance(result, SourceError):
            raise result
        if self.announce_length and len(result) > max_bytes:
            raise SourceRefused(f"larger than {max_bytes} bytes")
        length = len(result) if self.announce_length else None
        yield Download(length, self.content_type, self._chunks(result, max_bytes))

    async def _chunks(self, body: bytes, max_bytes: int) -> AsyncIterator[bytes]:
        end = len(body) if self.cut_after is None else self.cut_after
        for at in range(0, end, self.chunk_bytes):
            if min(at + self.chunk_bytes, end) > max_bytes:
                raise SourceRefused(f"larger than {max_bytes} bytes")
            yield body[at : min(at + self.chunk_bytes, end)]
        if end < len(body) and self.announce_length:
            raise SourceNotReady("the connection was cut off")
