"""`credits-expiry`, `credits-timers`: a timer per grant that expires; when it fires, what is left expires."""

from collections.abc import Callable
from datetime import datetime, timedelta

from telecine_chassis.consumers.reactor import Retry
from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_chassis.timers.port import Timer, Timers
from telecine_contracts import Event, derive_id, subjects
from telecine_contracts.credits import CreditsAdjusted, CreditsGranted, CreditsRefunded
from telecine_credits.rules.account import Account
from telecine_credits.rules.burn_order import in_utc, is_usable, shares_of_entry
from telecine_credits.rules.commands import Expire, TimedCommand

__all__ = ["EXPIRY", "ExpiryHandler", "expiry_timer", "expiry_times"]

EXPIRY = "expiry"
"""Kind of the timer of a grant's expiry; its key is the account and the entry number of the grant."""
MAX_TIMER_DELAY = timedelta(days=30)
"""Longest delay of a timer, which is set again then: a server need not schedule a message years ahead."""
EARLY_WAKE_TOLERANCE = timedelta(seconds=10)
"""A timer that fires this little too early, as the server's clock may differ, is retried instead of set again."""


def expiry_timer(account: str, grant: int) -> Timer:
    """The timer of a grant's expiry, by the number of its entry."""
    return Timer(EXPIRY, (account, str(grant)))


def expiry_times(event: Event) -> list[tuple[int, datetime]]:
    """Grants that an entry gave credits to, and when they expire."""
    match event:
        case CreditsGranted(expires_at=until, entry=entry) if until is not None:
            return [(entry, until)]
        case CreditsRefunded(usable_until=until) | CreditsAdjusted(usable_until=until) if until is not None:
            return [(number, until) for number, _ in shares_of_entry(event)]
        case _:
            return []


class ExpiryHandler:
    """Sets the timers of grants that expire, and expires the grants."""

    def __init__(
        self, ledger: CommandHandler[TimedCommand, Account], timers: Timers, clock: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._timers = timers
        self._clock = clock

    async def set_timers(self, event: Event, cause: Cause) -> None:
        """Set the timers of the grants that an entry gave credits to.

        A redelivered entry may move a timer to an earlier time, at which it is set again.
        """
        account = event.about["account"]
        for number, until in expiry_times(event):
            await self._set(expiry_timer(account, number), until)

    async def expire_due(self, timer: Timer) -> None:
        """Expire what the grant has left, if its time is over; otherwise set the timer again."""
        account, number = timer.key[0], int(timer.key[1])
        grant = (await self._ledger.read(subjects.ledger(account))).grants.get(number)
        if grant is None or grant.available == 0 or grant.usable_until is None:
            return
        at, until = self._clock(), grant.usable_until
        if not is_usable(grant, at):
            cause = derive_id(account, f"expiry of {number} at {until.isoformat()}")
            timed = TimedCommand(Expire(account=account, grant=number), at)
            await self._ledger.handle(subjects.ledger(account), timed, Cause(cause, cause))
        elif until - at < EARLY_WAKE_TOLERANCE:
            raise Retry((until - at).total_seconds(), f"grant {number} expires in a moment")
        else:
            await self._set(timer, until)

    async def _set(self, timer: Timer, until: datetime) -> None:
        moment = in_utc(until)
        assert moment is not None
        await self._timers.set(timer, min(moment, self._clock() + MAX_TIMER_DELAY))
