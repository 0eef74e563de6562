"""The timers port: wake me (or a replica of me) with this key at that time, whatever crashes in between.

A timer is derived from events: setting it again moves it, and a handler that is woken reads the truth before it
acts. It fires at least once, up to about a second late.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["Timer", "Timers"]


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that is due. `data` is what was left with it: a hint, never the truth."""

    kind: str
    key: tuple[str, ...]
    data: bytes = b""


class Timers(Protocol):
    """Timers of one service, named by kind and key. All calls raise `store.Unavailable` when nothing answers."""

    async def set(self, timer: Timer, at: datetime) -> None:
        """Fire at `at`; a timer of the same kind and key is moved. A time that has passed fires at once."""
        ...

    async def set_if_absent(self, timer: Timer, at: datetime) -> bool:
        """The same, unless such a timer is already waiting. True if it was set."""
        ...

    async def bring_forward(self, timer: Timer, at: datetime, *, latest: datetime) -> bool:
        """Move a timer that waits for a time after `latest` to `at`, with what was left with it. True if it was moved.

        For a timer that was set by a clock that was wrong.
        """
        ...

    async def fire(self, timer: Timer) -> None:
        """Fire now, besides any timer that is waiting."""
        ...
