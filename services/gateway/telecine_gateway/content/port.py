"""Content port: reads stored videos in chunks, never whole into memory."""

from collections.abc import AsyncIterator
from typing import Protocol

from .byte_ranges import ByteRange

__all__ = ["Content", "ContentUnavailable", "Download"]


class ContentUnavailable(Exception):
    """The object store did not deliver the bytes."""


class Download(Protocol):
    """An open read. The head of the store's response has been received and checked."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Exactly the requested bytes. Raises ContentUnavailable when they end early."""
        ...

    async def close(self) -> None:
        """Release the connection. Safe at any time, and more than once."""
        ...


class Content(Protocol):
    """An object store with videos."""

    async def open(self, bucket: str, key: str, part: ByteRange) -> Download:
        """Start reading a range of an object. Raises ContentUnavailable."""
        ...
