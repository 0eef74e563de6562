"""Wait for what a projection has just made visible: the outcome of a generation, or a position in a stream."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

__all__ = ["Arrivals", "Positions", "Waiters"]

T = TypeVar("T")
REMEMBERED = 10_000
"""Accounts whose last own write is remembered."""


class Waiters(Generic[T]):
    """Who waits for which name. Register first, then look whether it is there already, then wait."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[T]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @contextmanager
    def expect(self, name: str) -> Iterator[asyncio.Future[T]]:
        """A future that the first `tell` of `name` from now on resolves."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        mine = self._waiting.setdefault(name, set())
        mine.add(future)
        try:
            yield future
        finally:
            mine.discard(future)
            future.cancel()
            if not mine and self._waiting.get(name) is mine:
                del self._waiting[name]

    def tell(self, name: str, value: T) -> None:
        """Resolve everybody who waits for `name`."""
        for future in self._waiting.get(name, ()):
            if not future.done():
                future.set_result(value)


class Positions:
    """Reads of an account wait for the account's own last write here, so that it sees what it has just done."""

    def __init__(self, reached: Callable[[], int]) -> None:
        """`reached`: the stream sequence up to which everything can be queried."""
        self._reached = reached
        self._wanted: OrderedDict[str, int] = OrderedDict()
        self._moved = asyncio.Event()

    def wrote(self, account: str, sequence: int) -> None:
        """The account has written up to `sequence`."""
        self._wanted[account] = max(sequence, self._wanted.get(account, 0))
        self._wanted.move_to_end(account)
        if len(self._wanted) > REMEMBERED:
            self._wanted.popitem(last=False)

    def moved(self) -> None:
        """More can be queried than before."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def seen(self, account: str, *, within: float) -> None:
        """Until the account's last write can be queried, at most `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while self._reached() < self._wanted.get(account, 0):
                    await self._moved.wait()
        except TimeoutError:
            return


class Arrivals:
    """How far the ledger of each account was seen to go, by numbers of its entries."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, int] = OrderedDict()
        self._moved = asyncio.Event()

    def seen(self, account: str, entry: int) -> None:
        """An entry has come."""
        self._entries[account] = entry
        self._entries.move_to_end(account)
        if len(self._entries) > REMEMBERED:
            self._entries.popitem(last=False)

    def moved(self) -> None:
        """Everything that came at once was seen."""
        self._moved.set()
        self._moved = asyncio.Event()

    async def until(self, account: str, entry: int, *, within: float) -> None:
        """Until the entry has come, at most `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while self._entries.get(account, 0) < entry:
                    await self._moved.wait()
        except TimeoutError:
            return
