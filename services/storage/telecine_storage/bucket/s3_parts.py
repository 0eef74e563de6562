"""Splits a stream into parts of equal length, as multipart uploads require."""

from __future__ import annotations

from collections.abc import AsyncIterator


async def split_into_parts(chunks: AsyncIterator[bytes], part_bytes: int) -> AsyncIterator[bytes]:
    """Parts of exactly `part_bytes`; the last one may be shorter, but is never empty."""
    pieces: list[bytes] = []
    gathered = 0
    async for chunk in chunks:
        if gathered + len(chunk) < part_bytes:
            pieces.append(chunk)
            gathered += len(chunk)
            continue
        rest = memoryview(chunk)
        while gathered + len(rest) >= part_bytes:
            cut = part_bytes - gathered
            part = b"".join([*pieces, rest[:cut]])
            pieces.clear()
            yield part
            del part  # keeps no reference, so that the receiver decides how long it stays in memory
            rest, gathered = rest[cut:], 0
        if rest:
            pieces.append(bytes(rest))
            gathered += len(rest)
    if pieces:
        yield b"".join(pieces)
