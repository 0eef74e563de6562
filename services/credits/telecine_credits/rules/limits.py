"""Rules of spend limits, pure: setting them, and the limit that a debit would exceed."""

from __future__ import annotations

from datetime import datetime

from telecine_contracts import MAX_CREDITS, Event
from telecine_contracts.commands import SetSpendLimits
from telecine_contracts.credits import LimitPeriod, LimitReached, LimitScope, SpendLimitsSet

from .account import ACCOUNT_SCOPE, UNLIMITED, Account, scopes
from .commands import Debit
from .postings import entry_fields_without_postings

__all__ = ["limit_reached", "set_limits"]


def set_limits(command: SetSpendLimits, account: Account, at: datetime) -> Event | None:
    """New limits of the account or of one API key; None if they are the same as before."""
    current = account.limits.get(command.api_key or ACCOUNT_SCOPE, UNLIMITED)
    if (command.per_day, command.per_generation) == (current.per_day, current.per_generation):
        return None
    return SpendLimitsSet(
        **entry_fields_without_postings(command, account, at),
        api_key=command.api_key,
        per_day=command.per_day,
        per_generation=command.per_generation,
    )


def limit_reached(command: Debit, account: Account, at: datetime) -> LimitReached | None:
    """The first limit that the debit would exceed: account before API key, generation before day."""
    for scope in scopes(command.api_key):
        limits = account.limits.get(scope, UNLIMITED)
        for per, limit, used in (
            (LimitPeriod.GENERATION, limits.per_generation, 0),
            (LimitPeriod.DAY, limits.per_day, account.used_today(scope, at)),
        ):
            if limit is not None and used + command.price.credits > limit:
                limit_scope = LimitScope.ACCOUNT if scope == ACCOUNT_SCOPE else LimitScope.API_KEY
                return LimitReached(scope=limit_scope, per=per, limit=limit, used=min(used, MAX_CREDITS))
    return None
