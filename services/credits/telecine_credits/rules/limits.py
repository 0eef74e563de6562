"""The rules of spend limits, pure: how they are set, and which one a debit would pass."""

from __future__ import annotations

from telecine_contracts import MAX_CREDITS, Event
from telecine_contracts.commands import Refusal
from telecine_contracts.credits import LimitPeriod, LimitReached, LimitScope, SpendLimitsSet

from .account import UNLIMITED, WHOLE_ACCOUNT, Account, scopes
from .commands import Debit, LedgerRefused, SetLimits
from .postings import unmoved

__all__ = ["limit_reached", "set_limits"]


def set_limits(command: SetLimits, account: Account) -> Event | None:
    """The limits of the account or of one key; None if they are so already."""
    for field in ("per_day", "per_generation"):
        limit = getattr(command, field)
        if limit is not None and not 0 <= limit <= MAX_CREDITS:
            raise LedgerRefused(Refusal.INVALID, f"{field} must be from 0 to {MAX_CREDITS} credits", field)
    now = account.limits.get(command.api_key or WHOLE_ACCOUNT, UNLIMITED)
    if (command.per_day, command.per_generation) == (now.per_day, now.per_generation):
        return None
    return SpendLimitsSet(
        **unmoved(command, account),
        api_key=command.api_key,
        per_day=command.per_day,
        per_generation=command.per_generation,
    )


def limit_reached(command: Debit, account: Account) -> LimitReached | None:
    """The first limit that the debit would pass: the account's before the key's, a generation's before a day's."""
    for scope in scopes(command.api_key):
        limits = account.limits.get(scope, UNLIMITED)
        for per, limit, used in (
            (LimitPeriod.GENERATION, limits.per_generation, 0),
            (LimitPeriod.DAY, limits.per_day, account.used(scope, command.at)),
        ):
            if limit is not None and used + command.price.credits > limit:
                whose = LimitScope.ACCOUNT if scope == WHOLE_ACCOUNT else LimitScope.API_KEY
                return LimitReached(scope=whose, per=per, limit=limit, used=min(used, MAX_CREDITS))
    return None
