"""Burn order: which grants pay, and how long returned credits can be spent."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from telecine_auditor.ledger.account import Account, GrantShares

__all__ = ["allocate", "refund_usable_until", "reverse_allocation", "spendable_credits"]

GRACE = timedelta(hours=24)
"""Returned credits can be spent for at least this long."""


def allocate(account: Account, amount: int, at: datetime | None) -> GrantShares:
    """The grants that pay `amount`, in burn order; less than `amount` if they do not have enough.

    `at` is when it is decided; None: whatever their time, as entries are attributed that name no grants.
    """
    # One grant pays most debits, so that case is tried first.
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
    """Available credits of all grants that are usable at that time."""
    return sum(grant.available for grant in account.available_grants if grant.usable(at))


def refund_usable_until(account: Account, parts: GrantShares, at: datetime) -> datetime | None:
    """How long credits returned to these grants can be spent; None: until the grants expire."""
    soon = at + GRACE
    times = (account.grants[number].usable_until for number, _ in parts)
    return soon if any(time is not None and time < soon for time in times) else None


def reverse_allocation(parts: GrantShares, already: int, amount: int) -> GrantShares:
    """`amount` of the shares in reverse order, after `already` credits were returned that way."""
    back = []
    for number, taken in reversed(parts):
        skipped = min(already, taken)
        given = min(amount, taken - skipped)
        already, amount = already - skipped, amount - given
        if given:
            back.append((number, given))
    return tuple(back)


def describe_shares(parts: Iterable[tuple[int, int]]) -> str:
    """Shares as text."""
    return ", ".join(f"{amount} of grant {number}" for number, amount in parts) or "nothing"
