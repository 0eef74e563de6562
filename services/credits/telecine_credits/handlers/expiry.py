"""What sees to it that credits expire: a timer per grant, and a look at the ledger when it fires."""

from collections.abc import Callable
from datetime import datetime, timedelta

from telecine_chassis.consumers.reactor import Retry
from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_chassis.timers.port import Timer, Timers
from telecine_contracts import Event, derive_id, subjects
from telecine_contracts.credits import CreditsAdjusted, CreditsGranted, CreditsRefunded
from telecine_credits.rules.account import Account
from telecine_credits.rules.burn_order import in_utc, is_usable, moved_by_grant
from telecine_credits.rules.commands import Command, Expire

__all__ = ["EXPIRY", "Expiries", "expiries", "expiry_timer"]

EXPIRY = "expiry"
"""Kind of the timer of a grant's expiry; its key is the account and the number of the grant's entry."""
FARTHEST = timedelta(days=30)
"""A timer waits no longer and is set again then: a server need not count centuries."""
NEARLY = timedelta(seconds=10)
"""Woken so little too early, e.g. by the server's clock, the handler asks for the same message again."""


def expiry_timer(account: str, grant: int) -> Timer:
    """The timer of a grant's expiry, by the number of its entry."""
    return Timer(EXPIRY, (account, str(grant)))


def expiries(event: Event) -> list[tuple[int, datetime]]:
    """When to look whether grants have expired, after an entry that gave them credits."""
    match event:
        case CreditsGranted(expires_at=until, entry=entry) if until is not None:
            return [(entry, until)]
        case CreditsRefunded(usable_until=until) | CreditsAdjusted(usable_until=until) if until is not None:
            return [(number, until) for number, _ in moved_by_grant(event)]
        case _:
            return []


class Expiries:
    """Sets the timers of grants that expire, and expires them."""

    def __init__(
        self, ledger: CommandHandler[Command, Account], timers: Timers, clock: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._timers = timers
        self._clock = clock

    async def arm(self, event: Event, cause: Cause) -> None:
        """Set the timers that an entry asks for. One set too early is set again when it fires."""
        account = event.about["account"]
        for number, until in expiries(event):
            await self._set(expiry_timer(account, number), until)

    async def wake(self, timer: Timer) -> None:
        """Expire what the grant has left, if its time is over."""
        account, number = timer.key[0], int(timer.key[1])
        grant = (await self._ledger.read(subjects.ledger(account))).grants.get(number)
        if grant is None or grant.available == 0 or grant.usable_until is None:
            return
        at, until = self._clock(), grant.usable_until
        if not is_usable(grant, at):
            cause = derive_id(account, f"expiry of {number} at {until.isoformat()}")
            command = Expire(account=account, at=at, grant=number)
            await self._ledger.handle(subjects.ledger(account), command, Cause(cause, cause))
        elif until - at < NEARLY:
            raise Retry((until - at).total_seconds(), f"grant {number} expires in a moment")
        else:
            await self._set(timer, until)

    async def _set(self, timer: Timer, until: datetime) -> None:
        moment = in_utc(until)
        assert moment is not None
        await self._timers.set(timer, min(moment, self._clock() + FARTHEST))
