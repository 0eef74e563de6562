"""Which grants pay, and until when credits that come back can be spent."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from telecine_auditor.ledger.account import Account, GrantShares

__all__ = ["allocate", "refund_usable_until", "reverse_allocation", "spendable_credits"]

GRACE = timedelta(hours=24)
"""Credits that come back to a grant can be spent for that long at least."""


def allocate(account: Account, amount: int, at: datetime | None) -> GrantShares:
    """The grants that pay `amount`, in the order of taking; less than `amount` when they have no more.

    `at` is when it is decided; None: whatever their time, as entries are attributed that name no grants.
    """
    live = account.available_grants
    if live:
        first = live[0]
        if first.available >= amount and (
            at is None or first.usable_until is None or first.usable_until > at
        ):
            return first.share(amount)
    return _taking_from_several(account, amount, at)


def _taking_from_several(account: Account, amount: int, at: datetime | None) -> GrantShares:
    parts = []
    for grant in account.available_grants:
        if amount <= 0:
            break
        if at is None or grant.usable(at):
            taken = min(amount, grant.available)
            parts.append((grant.number, taken))
            amount -= taken
    return tuple(parts)


def spendable_credits(account: Account, at: datetime) -> int:
    """What could be spent at that time: all that is available of grants whose time is not over."""
    return sum(grant.available for grant in account.available_grants if grant.usable(at))


def refund_usable_until(account: Account, parts: GrantShares, at: datetime) -> datetime | None:
    """Until when credits can be spent that come back to these grants; None: the grants' own times stand."""
    soon = at + GRACE
    times = (account.grants[number].usable_until for number, _ in parts)
    return soon if any(time is not None and time < soon for time in times) else None


def reverse_allocation(parts: GrantShares, already: int, amount: int) -> GrantShares:
    """`amount` of what was taken, last taken first, after `already` went back that way before."""
    back = []
    for number, taken in reversed(parts):
        skipped = min(already, taken)
        given = min(amount, taken - skipped)
        already, amount = already - skipped, amount - given
        if given:
            back.append((number, given))
    return tuple(back)


def describe_shares(parts: Iterable[tuple[int, int]]) -> str:
    """Parts in words."""
    return ", ".join(f"{amount} of grant {number}" for number, amount in parts) or "nothing"
