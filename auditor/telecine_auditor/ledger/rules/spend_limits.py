"""Spend limits: what counts under them on a day of UTC, and which one a debit would pass."""

from collections.abc import Iterator
from datetime import datetime

from telecine_auditor.ledger.account import AccountBook

__all__ = ["count", "counted_day", "limits_passed", "make_room", "used_on"]


def counted_day(book: AccountBook, at: datetime) -> int:
    """The day that a debit decided at that time counts for: a day that is over does not come back."""
    day = at.toordinal()
    return day if day > book.day else book.day


def used_on(book: AccountBook, key: str | None, day: int) -> int:
    """Credits that count for that day, of one API key or (None) of the whole account."""
    return book.used.get(key, 0) if day == book.day else 0


def limits_passed(book: AccountBook, amount: int, key: str | None, day: int) -> Iterator[str]:
    """Every limit that a debit of `amount` passes, in words."""
    for of in (None,) if key is None else (None, key):
        bounds = book.limits.get(of)
        if bounds is None:
            continue
        whose = "of the account" if of is None else f"of API key {of}"
        if bounds.per_generation is not None and amount > bounds.per_generation:
            yield f"at most {bounds.per_generation} a generation {whose}"
        used = used_on(book, of, day)
        if bounds.per_day is not None and used + amount > bounds.per_day:
            yield f"at most {bounds.per_day} a day {whose}, {used} used before"


def count(book: AccountBook, amount: int, key: str | None, day: int) -> None:
    """A debit counts for the day."""
    used = book.used
    if day > book.day:
        book.day = day
        used.clear()
    used[None] = used.get(None, 0) + amount
    if key is not None:
        used[key] = used.get(key, 0) + amount


def make_room(book: AccountBook, amount: int, key: str | None, day: int) -> None:
    """A refund of what counted for that day: it counts no more."""
    if day == book.day and day:
        book.used[None] = book.used.get(None, 0) - amount
        if key is not None:
            book.used[key] = book.used.get(key, 0) - amount
