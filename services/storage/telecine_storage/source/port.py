"""Where finished videos are fetched from: the port.

SourceError
├── SourceRefused   this URL will never give the video
└── SourceNotReady  it may do so later
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


class SourceError(Exception):
    """A download failed; `reason` names no URL, since result URLs are signed and hence secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SourceRefused(SourceError):
    """Permanent for this URL: gone, forbidden, too large, or an address that must not be called."""


class SourceNotReady(SourceError):
    """Worth another try: not ready yet, overloaded, unreachable or cut off."""


@dataclass(frozen=True, slots=True)
class Download:
    """An answer under way: `length` in bytes if it was announced, the content type in lower case without parameters.

    Reading `chunks` raises SourceNotReady if the stream is cut off or stalls, SourceRefused if it grows too large.
    """

    length: int | None
    content_type: str | None
    chunks: AsyncIterator[bytes]


class Source(Protocol):
    """Opens result URLs."""

    def open(self, url: str, *, max_bytes: int) -> AbstractAsyncContextManager[Download]:
        """Ask for the URL; entering raises SourceError. Leaving ends the download, read to its end or not."""
        ...
