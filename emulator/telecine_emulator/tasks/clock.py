"""The emulator's clock: wall time plus the offset set by the admin route."""

import time
from datetime import UTC, datetime


class Clock:
    """Seconds since 1970, ahead of the wall clock by `offset` seconds."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def now(self) -> float:
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        self.offset += seconds


def stamp(at: float) -> str:
    """`at` as the 14 digits at the start of task ids and request ids."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%d%H%M%S")


def tos_date(at: float) -> str:
    """`at` in the form of an X-Tos-Date parameter."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
