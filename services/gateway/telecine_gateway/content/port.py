"""The content port: the bytes of stored videos, a part at a time, never whole in memory."""

from collections.abc import AsyncIterator
from typing import Protocol

from .byte_ranges import ByteRange

__all__ = ["Content", "ContentUnavailable", "Download"]


class ContentUnavailable(Exception):
    """The object store did not deliver what it should have."""


class Download(Protocol):
    """An open read; the first answer of the store is already there."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Exactly the bytes that were asked for. Raises ContentUnavailable when they end early."""
        ...

    async def close(self) -> None:
        """Let go of the connection. May be called at any time, and again."""
        ...


class Content(Protocol):
    """Where stored videos are."""

    async def open(self, bucket: str, key: str, part: ByteRange) -> Download:
        """Begin to read a part of an object. Raises ContentUnavailable."""
        ...
