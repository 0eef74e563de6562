"""Where entries come from: a NATS server, or a mirror on disk. Both answer the same questions."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from .message import StoredMessage

__all__ = ["CHECKPOINTS", "LEDGER", "VIDEO", "Source"]

LEDGER, VIDEO, CHECKPOINTS = "LEDGER", "VIDEO", "CHECKPOINTS"


class Source(Protocol):
    """Streams that can be read from any sequence on.

    Every call raises SourceError when it can't: what cannot be read is never taken for what is not there, or is empty.
    """

    @property
    def unread(self) -> Sequence[str]:
        """What stands in the source and was not taken for entries, a phrase each: it was left out of what was read."""
        ...

    async def has(self, stream: str) -> bool:
        """Whether this source has the stream."""
        ...

    async def last(self, stream: str) -> int:
        """The last sequence of the stream as it is now; 0 while it is empty."""
        ...

    def batches(
        self, stream: str, *, after: int = 0, upto: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        """Every entry behind sequence `after`, up to and with `upto` (None: what `last` says at the start).

        In order of sequence, in batches of any size. A sequence that is missing is left out: the reader sees the gap.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and files."""
        ...
