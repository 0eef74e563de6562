"""Requests that wait for events, and reads that wait until the tables show what their account has written."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

__all__ = ["ReadYourWrites", "Waiters"]

T = TypeVar("T")
MAX_ACCOUNTS = 10_000
"""Accounts whose last write is remembered."""


class Waiters(Generic[T]):
    """Requests that wait for a result, by name. Register first, then look whether it is there already, then wait."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[T]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @contextmanager
    def expect(self, name: str) -> Iterator[asyncio.Future[T]]:
        """A future that the next `notify` of `name` resolves."""
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

    def notify(self, name: str, value: T) -> None:
        """Resolve every future that waits for `name`."""
        for future in self._waiting.get(name, ()):
            if not future.done():
                future.set_result(value)


class ReadYourWrites:
    """The last position that each account has written, and waiting for positions.

    Positions only grow: sequences in a stream, or numbers of an account's entries. `visible` gives the position up to
    which everything can be queried; `hurry` is called with the one that a read waits for.
    """

    def __init__(
        self,
        visible: Callable[[], int] = lambda: 0,
        hurry: Callable[[int], None] = lambda position: None,
    ) -> None:
        self._visible = visible
        self._hurry = hurry
        self._written: OrderedDict[str, int] = OrderedDict()
        self._changed = asyncio.Event()

    def record_write(self, account: str, position: int) -> None:
        """The account has written up to `position`."""
        self._written[account] = max(position, self._last(account))
        self._written.move_to_end(account)
        if len(self._written) > MAX_ACCOUNTS:
            self._written.popitem(last=False)

    def advanced(self) -> None:
        """Writes were recorded, or more can be queried than before."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_until_visible(self, account: str, *, within: float) -> None:
        """Until the account's last write can be queried, at most `within` seconds."""
        self._hurry(self._last(account))
        await self._wait(lambda: self._visible() >= self._last(account), within)

    async def wait_for_write(self, account: str, position: int, *, within: float) -> None:
        """Until a write of the account at `position` was recorded, at most `within` seconds."""
        await self._wait(lambda: self._last(account) >= position, within)

    def _last(self, account: str) -> int:
        return self._written.get(account, 0)

    async def _wait(self, done: Callable[[], bool], within: float) -> None:
        try:
            async with asyncio.timeout(within):
                while not done():
                    await self._changed.wait()
        except TimeoutError:
            return
