"""Spend limits: usage on a UTC day, and the limits that a debit exceeds."""

from collections.abc import Iterator
from datetime import datetime

from telecine_auditor.ledger.account import Account

__all__ = ["add_usage", "exceeded_limits", "limit_day", "remove_usage", "used_on_day"]


def limit_day(account: Account, at: datetime) -> int:
    """The UTC day that a debit counts for. It never goes back: a debit dated earlier counts for the last day."""
    day = at.toordinal()
    return day if day > account.day else account.day


def used_on_day(account: Account, key: str | None, day: int) -> int:
    """Credits used on that day by an API key, or (None) by the whole account."""
    return account.used.get(key, 0) if day == account.day else 0


def exceeded_limits(account: Account, amount: int, key: str | None, day: int) -> Iterator[str]:
    """Descriptions of the limits that a debit of `amount` exceeds."""
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
    """Count a debit."""
    used = account.used
    if day > account.day:
        account.day = day
        used.clear()
    used[None] = used.get(None, 0) + amount
    if key is not None:
        used[key] = used.get(key, 0) + amount


def remove_usage(account: Account, amount: int, key: str | None, day: int) -> None:
    """A refunded debit no longer counts for its day."""
    # Day 0 is that of debits from before 0.2, which never counted.
    if day == account.day and day:
        account.used[None] = account.used.get(None, 0) - amount
        if key is not None:
            account.used[key] = account.used.get(key, 0) - amount
