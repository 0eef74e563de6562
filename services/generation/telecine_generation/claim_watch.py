"""How long this process has known of open claims, by its monotonic clock: no wall clock can make that longer."""

import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["ClaimWatch"]

FORGOTTEN_AFTER = 3600.0
"""Seconds without a look after which a claim counts as resolved elsewhere."""


class ClaimWatch:
    """One per process. A claim was made before it was first seen, so it is at least as old as it is known here."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: OrderedDict[tuple[str, str, int], tuple[float, float]] = OrderedDict()

    def known_for(self, account: str, generation: str, attempt: int) -> float:
        """Seconds since the claim was first asked for here; 0 the first time."""
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
