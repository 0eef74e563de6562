"""Spend limits: what counts under them on a day of UTC, and which one a debit would pass."""

from collections.abc import Iterator
from datetime import datetime

from telecine_auditor.ledger.account import Account

__all__ = ["add_usage", "exceeded_limits", "limit_day", "remove_usage", "used_on_day"]


def limit_day(account: Account, at: datetime) -> int:
    """The day that a debit decided at that time counts for: a day that is over does not come back."""
    day = at.toordinal()
    return day if day > account.day else account.day


def used_on_day(account: Account, key: str | None, day: int) -> int:
    """Credits that count for that day, of one API key or (None) of the whole account."""
    return account.used.get(key, 0) if day == account.day else 0


def exceeded_limits(account: Account, amount: int, key: str | None, day: int) -> Iterator[str]:
    """Every limit that a debit of `amount` passes, in words."""
    for of in (None,) if key is None else (None, key):
        bounds = account.limits.get(of)
        if bounds is None:
            continue
        whose = "of the account" if of is None else f"of API key {of}"
        if bounds.per_generation is not None and amount > bounds.per_generation:
            yield f"at most {bounds.per_generation} a generation {whose}"
        used = used_on_day(account, of, day)
        if bounds.per_day is not None and used + amount > bounds.per_day:
            yield f"at most {bounds.per_day} a day {whose}, {used} used before"


def add_usage(account: Account, amount: int, key: str | None, day: int) -> None:
    """A debit counts for the day."""
    used = account.used
    if day > account.day:
        account.day = day
        used.clear()
    used[None] = used.get(None, 0) + amount
    if key is not None:
        used[key] = used.get(key, 0) + amount


def remove_usage(account: Account, amount: int, key: str | None, day: int) -> None:
    """A refund of what counted for that day: it counts no more."""
    if day == account.day and day:
        account.used[None] = account.used.get(None, 0) - amount
        if key is not None:
            account.used[key] = account.used.get(key, 0) - amount
