"""In-memory implementation of the content port, for tests; it passes the same suite as S3."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from .byte_ranges import ByteRange
from .port import ContentUnavailable

__all__ = ["MemoryContent", "MemoryDownload"]


@dataclass
class MemoryContent:
    """Objects by bucket and key."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)

    async def open(self, bucket: str, key: str, part: ByteRange) -> "MemoryDownload":
        body = self.objects.get((bucket, key))
        if body is None:
            raise ContentUnavailable("no such object")
        if part.end >= len(body):
            raise ContentUnavailable("the object is shorter than it was")
        return MemoryDownload(body[part.start : part.end + 1])


@dataclass
class MemoryDownload:
    """A part that is in memory."""

    body: bytes
    chunk: int = 64 * 1024

    async def chunks(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.body), self.chunk):
            yield self.body[at : at + self.chunk]

    async def close(self) -> None:
        self.body = b""
