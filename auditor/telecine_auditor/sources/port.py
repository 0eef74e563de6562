"""Port to the source of entries: a NATS server, or a mirror on disk."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from .message import StoredMessage

__all__ = ["CATALOG", "CHECKPOINTS", "LEDGER", "QUEUE", "VIDEO", "Source"]

LEDGER, VIDEO, CHECKPOINTS, CATALOG = "LEDGER", "VIDEO", "CHECKPOINTS", "CATALOG"
QUEUE = "QUEUE"


class Source(Protocol):
    """Streams that can be read from any sequence on.

    Every call raises SourceError when it fails: what cannot be read never counts as missing or empty.
    """

    @property
    def unread(self) -> Sequence[str]:
        """What the source holds and was left out because it is not an entry, one phrase each."""
        ...

    async def has(self, stream: str) -> bool:
        """Whether this source has the stream."""
        ...

    async def last(self, stream: str) -> int:
        """The current last sequence of the stream; 0 while it is empty."""
        ...

    def batches(
        self, stream: str, *, after: int = 0, upto: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        """Every entry after sequence `after`, up to and including `upto` (None: the value of `last` at the start).

        In order of sequence, in batches of any size. A missing sequence is left out: the caller sees the gap.
        """
        ...

    async def close(self) -> None:
        """Close connections and files."""
        ...
