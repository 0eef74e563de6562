"""Entries from a mirror on disk."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from .breach import Breach
from .entry import Entry

__all__ = ["MirrorSource"]


class MirrorSource:
    """A source over a mirror's folder, which nobody needs to own or lock."""

    def __init__(self, folder: Path, on_breach: Callable[[Breach], None]) -> None:
        raise NotImplementedError

    async def has(self, stream: str) -> bool:
        raise NotImplementedError

    async def last(self, stream: str) -> int:
        raise NotImplementedError

    async def batches(
        self, stream: str, *, after: int = 0, upto: int | None = None
    ) -> AsyncIterator[Sequence[Entry]]:
        for batch in ():
            yield batch

    async def close(self) -> None:
        raise NotImplementedError
