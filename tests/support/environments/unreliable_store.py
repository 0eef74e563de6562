"""An event store with troubles: appends that fail, or only seem to, and reads without an answer."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from telecine_chassis.eventstore.port import Conflict, EventStore, RecordedEvent, Unavailable
from telecine_contracts import Envelope, Event

__all__ = ["StoreFault", "UnreliableStore"]

StoreFault = Literal[
    "not stored",  # Unavailable, and nothing was stored
    "stored",  # Unavailable, although it was stored
    "stored before the retry",  # Unavailable, and it arrives when the retry is already on its way
    "stored after the retry",  # Unavailable, and it arrives when the retry has been stored
]


@dataclass
class UnreliableStore:
    """Wraps a store. `troubles` come over the next appends, one each; `silent` is over everything.

    `meanwhile` happens once, after an append without an answer and before its caller hears of it. With
    `failing_appends` every append ends without an answer, after `timeout` seconds.
    """

    store: EventStore
    troubles: deque[StoreFault] = field(default_factory=deque)
    silent: bool = False
    failing_appends: bool = False
    timeout: float = 0
    meanwhile: Callable[[], Awaitable[object]] | None = None
    failing_loads: int = 0
    loads: list[tuple[str, int]] = field(default_factory=list)
    appends: int = 0
    ghosts: dict[str, Callable[[], Awaitable[int]]] = field(default_factory=dict)

    async def load(
        self, aggregate: str, *, after: int = 0, include_undecoded: bool = False, confirmed: bool = True
    ) -> Sequence[RecordedEvent]:
        self.loads.append((aggregate, after))
        if self.failing_loads:
            self.failing_loads -= 1
            raise Unavailable("scripted")
        if self.silent:
            raise Unavailable("scripted")
        return await self.store.load(
            aggregate, after=after, include_undecoded=include_undecoded, confirmed=confirmed
        )

    async def append(self, event: Event, envelope: Envelope, *, aggregate: str, expected: int) -> int:
        def send() -> Awaitable[int]:
            return self.store.append(event, envelope, aggregate=aggregate, expected=expected)

        self.appends += 1
        if self.silent:
            raise Unavailable("scripted")
        if self.failing_appends:
            await self._no_answer()
        await self._arrive("stored before the retry")
        if not self.troubles:
            sequence = await send()
            await self._arrive("stored after the retry")
            return sequence
        trouble = self.troubles.popleft()
        if trouble == "stored":
            await send()
        elif trouble != "not stored":
            self.ghosts[trouble] = send
        if self.meanwhile is not None:
            await self.meanwhile()
        raise Unavailable("scripted")

    async def _no_answer(self) -> None:
        try:
            async with asyncio.timeout(self.timeout):
                await asyncio.Event().wait()
        except TimeoutError:
            raise Unavailable("scripted") from None

    async def _arrive(self, when: StoreFault) -> None:
        ghost = self.ghosts.pop(when, None)
        if ghost is not None:
            with suppress(Conflict):
                await ghost()
