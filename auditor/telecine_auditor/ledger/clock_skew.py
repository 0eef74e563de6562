"""Compares the time of each decision with the time of storage, and with the entry before in its account."""

from datetime import UTC, datetime, timedelta

from .account import Account
from .event_parser import stored_time

__all__ = ["MAX_AHEAD", "MAX_BEHIND", "ClockSkew"]

MAX_AHEAD = timedelta(minutes=5)
"""How far the clock of credits may be ahead of the server's."""
MAX_BEHIND = timedelta(hours=1)
"""How far it may be behind; includes the time that an entry may wait for an unavailable server."""
_MINUTE = 60 * 10**9
"""In nanoseconds. Entries stored within the same minute share bounds, which are checked first."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


class ClockSkew:
    """Bounds for the times of decisions.

    A restored stream has new times of storage. Entries decided before its first entry was stored (`begun_at`) are
    counted in `restored`, and compared with the decisions before them in their account instead.

    Entries stored from `begin` until before `end` may have been decided from `earliest` to `latest`.
    """

    def __init__(self, ahead: timedelta = MAX_AHEAD, behind: timedelta = MAX_BEHIND) -> None:
        self.begun_at: datetime | None = None
        self.restored = 0
        self.begin = self.end = 0
        self.earliest = self.latest = _EPOCH
        self._ahead, self._behind = ahead, behind

    def turn(self, stored_at: int) -> None:
        """Set the bounds for the minute of that time (nanoseconds since 1970)."""
        self.begin = stored_at - stored_at % _MINUTE
        self.end = self.begin + _MINUTE
        # The bounds hold for every nanosecond of the minute: an entry within them needs no exact comparison.
        start = stored_time(self.begin)
        self.earliest = start + timedelta(minutes=1) - min(self._behind, _DAY)
        self.latest = start + min(self._ahead, _DAY)
        if self.begun_at is None:
            self.begun_at = stored_time(stored_at)

    def judge(self, account: Account, stored_at: int, at: datetime) -> str | None:
        """What is wrong with the time of the decision; None: nothing."""
        stored = stored_time(stored_at)
        if self.begun_at is None:
            self.begun_at = stored
        if at - stored > self._ahead:
            return f"decided at {at}, which is {at - stored} after it was stored at {stored}"
        if stored - at <= self._behind:
            return None
        if at >= self.begun_at:
            return f"decided at {at}, which is {stored - at} before it was stored at {stored}"
        self.restored += 1
        before, account.decided_at = account.decided_at, max(at, account.decided_at)
        if before - at <= self._behind:
            return None
        account.decided_at = at
        return (
            f"decided at {at}, which is {before - at} before the previous entry of its account, at {before}"
        )
