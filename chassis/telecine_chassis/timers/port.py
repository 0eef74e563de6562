"""The timers port: call a handler of the service with a key at a given time, despite crashes in between.

A timer is derived from events: setting it again moves it, and its handler reads the events before it acts. It fires at
least once, up to about a second late.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["Timer", "Timers"]


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer, named by `kind` and `key`. `data` is a hint for its handler; decisions need the events."""

    kind: str
    key: tuple[str, ...]
    data: bytes = b""


class Timers(Protocol):
    """Timers of one service, named by kind and key. All calls raise Unavailable when the server does not reply."""

    async def set(self, timer: Timer, at: datetime) -> None:
        """Fire at `at`; a waiting timer of the same kind and key is moved. A time in the past fires at once."""
        ...

    async def set_if_absent(self, timer: Timer, at: datetime) -> bool:
        """Like `set`, unless a timer of that kind and key is already waiting. True if it was set."""
        ...

    async def bring_forward(self, timer: Timer, at: datetime, *, latest: datetime) -> bool:
        """Move a waiting timer that is due after `latest` to `at`, with its data. True if it was moved.

        Corrects timers that were set by a wrong clock.
        """
        ...

    async def fire(self, timer: Timer) -> None:
        """Fire now, in addition to any waiting timer."""
        ...
