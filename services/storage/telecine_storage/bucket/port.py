"""Port to the object store.

BucketError
├── BucketRefused      credentials, permissions or a missing bucket: an operator must act
└── BucketUnavailable  overloaded, unreachable, or the stored object differs from what was sent
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

CONTENT_TYPE = "video/mp4"
"""Content type of every object, independent of the provider's header."""


class BucketError(Exception):
    """The object store failed; `reason` is its error code or the type of the failure."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BucketRefused(BucketError):
    """The object store refuses until an operator changes something."""


class BucketUnavailable(BucketError):
    """A later try may succeed."""


class Bucket(Protocol):
    """Private objects by key."""

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Stores the chunks as one video/mp4 object; returns the number of bytes. Raises BucketError.

        The object appears complete, after the last chunk, or not at all: an exception of `chunks` is passed on and
        leaves the object under the key unchanged, and so does a cancellation before the last chunk.
        """
        ...

    async def confirm(self, key: str, length: int, sha256: str) -> None:
        """Makes sure that the object that `put_stream` has just stored is what was sent, and durable.

        `length` in bytes, `sha256` in hex. Raises BucketError, and then an object that differs is gone.
        """
        ...

    async def head(self, key: str) -> int | None:
        """Size of the object in bytes, or None if there is none. Raises BucketError."""
        ...

    async def delete(self, key: str) -> None:
        """Removes the object; no error if there is none. Raises BucketError."""
        ...

    async def keys(self, prefix: str) -> Sequence[str]:
        """The keys that begin with `prefix`, of objects and of unfinished uploads. Raises BucketError."""
        ...

    async def abort_leftovers(self, key: str) -> None:
        """Aborts the unfinished uploads of the key. Raises BucketError."""
        ...
