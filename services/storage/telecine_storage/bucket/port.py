"""Where stored videos are kept: the port.

BucketError
├── BucketRefused      credentials, permissions or a missing bucket: an operator has to act
└── BucketUnavailable  overloaded, unreachable, or the stored object isn't what was sent
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

CONTENT_TYPE = "video/mp4"
"""What every object is stored as, whatever the provider called it."""


class BucketError(Exception):
    """The object store failed; `reason` is its error code or the kind of failure."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BucketRefused(BucketError):
    """The object store answered, and says no until an operator changes something."""


class BucketUnavailable(BucketError):
    """Worth another try."""


class Bucket(Protocol):
    """Private objects by key."""

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Store the chunks as one video/mp4 object; the number of bytes stored. Raises BucketError.

        The object appears whole, after the last chunk, or not at all: what `chunks` raises comes
        through unchanged and leaves the key as it was. So does a cancellation before the last chunk.
        """
        ...

    async def head(self, key: str) -> int | None:
        """Bytes of the object, or None if there is none. Raises BucketError."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the object; no error if there is none. Raises BucketError."""
        ...

    async def abort_leftovers(self, key: str) -> None:
        """Throw away what unfinished uploads have left under the key. Raises BucketError."""
        ...
