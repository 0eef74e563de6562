"""How long this process has observed open claims, by its monotonic clock."""

import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["ClaimWatch"]

FORGOTTEN_AFTER = 3600.0
"""Seconds without a query after which a claim counts as resolved elsewhere."""


class ClaimWatch:
    """One per process. A claim is at least as old as the time since it was first seen here."""

    # Wall clocks of two machines may differ by hours, and a claim that looks too old would be submitted twice. A
    # monotonic clock can only make a claim look younger than it is.

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: OrderedDict[tuple[str, str, int], tuple[float, float]] = OrderedDict()

    def known_for(self, account: str, generation: str, attempt: int) -> float:
        """Seconds since the first call for this claim; 0 at the first call."""
        now = self._monotonic()
        key = account, generation, attempt
        first, _ = self._seen.get(key, (now, now))
        self._seen[key] = first, now
        self._seen.move_to_end(key)
        self._drop_resolved(now)
        return now - first

    def _drop_resolved(self, now: float) -> None:
        while self._seen:
            key, (_, last) = next(iter(self._seen.items()))
            if now - last < FORGOTTEN_AFTER:
                return
            del self._seen[key]
