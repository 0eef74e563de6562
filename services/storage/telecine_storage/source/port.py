"""Port to the provider's result files.

SourceError
├── SourceRefused   permanent for this URL
└── SourceNotReady  a later try may succeed
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


class SourceError(Exception):
    """A download failed; `reason` contains no URL, because result URLs are signed and thus secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SourceRefused(SourceError):
    """Permanent for this URL: gone, forbidden, too large, or at an address that is not allowed."""


class SourceNotReady(SourceError):
    """A later try may succeed: not ready yet, overloaded, unreachable or interrupted."""


@dataclass(frozen=True, slots=True)
class Download:
    """An open download: `length` in bytes if announced, the content type in lower case without parameters.

    Reading `chunks` raises SourceNotReady if the stream is interrupted or stalls, SourceRefused if it is too large.
    """

    length: int | None
    content_type: str | None
    chunks: AsyncIterator[bytes]


class Source(Protocol):
    """Opens result URLs."""

    def open(self, url: str, *, max_bytes: int) -> AbstractAsyncContextManager[Download]:
        """Requests the URL; entering raises SourceError, leaving closes the download even if it is not fully read."""
        ...
