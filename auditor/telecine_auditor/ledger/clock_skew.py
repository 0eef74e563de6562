"""When entries were decided, compared with when the server stored them and with the entry before in their account."""

from datetime import UTC, datetime, timedelta

from .account import Account
from .event_parser import stored_time

__all__ = ["MAX_AHEAD", "MAX_BEHIND", "ClockSkew"]

MAX_AHEAD = timedelta(minutes=5)
"""So far the clock of credits may run before that of the server."""
MAX_BEHIND = timedelta(hours=1)
"""So far behind, and so long an entry may wait for a server that is away."""
_MINUTE = 60 * 10**9
"""In nanoseconds: what is stored within the same minute is judged by the same bounds at first sight."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


class ClockSkew:
    """Bounds for times of decisions.

    A copy that was restored into a stream was stored anew: what was decided before the stream's first entry was stored
    (`begun_at`) is counted in `restored`, and compared with what was so decided before in its account.

    From `earliest` to `latest`: when what was stored from `begin` on, and before `end`, may have been decided.
    """

    def __init__(self, ahead: timedelta = MAX_AHEAD, behind: timedelta = MAX_BEHIND) -> None:
        self.begun_at: datetime | None = None
        self.restored = 0
        self.begin = self.end = 0
        self.earliest = self.latest = _EPOCH
        self._ahead, self._behind = ahead, behind

    def turn(self, stored_at: int) -> None:
        """Go to the minute of that time, in nanoseconds since 1970."""
        self.begin = stored_at - stored_at % _MINUTE
        self.end = self.begin + _MINUTE
        start = stored_time(self.begin)
        self.earliest = start + timedelta(minutes=1) - min(self._behind, _DAY)
        self.latest = start + min(self._ahead, _DAY)
        if self.begun_at is None:
            self.begun_at = stored_time(stored_at)

    def judge(self, account: Account, stored_at: int, at: datetime) -> str | None:
        """What is wrong with the time at which an entry of the account was decided, in words."""
        stored = stored_time(stored_at)
        if self.begun_at is None:
            self.begun_at = stored
        if at - stored > self._ahead:
            return f"decided at {at}, and stored {at - stored} before, at {stored}"
        if stored - at <= self._behind:
            return None
        if at >= self.begun_at:
            return f"decided at {at}, and stored {stored - at} after, at {stored}"
        self.restored += 1
        before, account.decided_at = account.decided_at, max(at, account.decided_at)
        if before - at <= self._behind:
            return None
        account.decided_at = at
        return f"decided at {at}, and the entry before in its account {before - at} later, at {before}"
