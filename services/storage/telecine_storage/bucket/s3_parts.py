"""Cuts a stream into parts of one length, as multipart uploads want them."""

from __future__ import annotations

from collections.abc import AsyncIterator


async def split_into_parts(chunks: AsyncIterator[bytes], part_bytes: int) -> AsyncIterator[bytes]:
    """Parts of exactly `part_bytes`; a shorter one comes last, once `chunks` has ended, never an empty one."""
    pieces: list[bytes] = []
    gathered = 0
    async for chunk in chunks:
        rest = memoryview(chunk)
        while gathered + len(rest) >= part_bytes:
            cut = part_bytes - gathered
            part = b"".join([*pieces, rest[:cut]])
            pieces.clear()
            yield part
            del part  # the receiver alone decides how long it stays in memory
            rest, gathered = rest[cut:], 0
        if rest:
            pieces.append(bytes(rest))
            gathered += len(rest)
    if pieces:
        yield b"".join(pieces)
