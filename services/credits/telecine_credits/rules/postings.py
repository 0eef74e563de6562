"""Fields that all entries of the ledger share: number, balances, postings. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from telecine_contracts import MAX_CREDITS
from telecine_contracts.commands import Refusal
from telecine_contracts.credits import Balances, Posting

from .account import Account
from .burn_order import GrantShares
from .commands import Command
from .errors import LedgerRefused

__all__ = [
    "GRACE_PERIOD",
    "build_postings",
    "check_balance_limit",
    "entry_fields",
    "entry_fields_without_postings",
    "extended_usable_until",
]

GRACE_PERIOD = timedelta(days=1)
"""How long returned credits can be spent at least, even if their grant has expired meanwhile."""


def entry_fields(
    command: Command, account: Account, at: datetime, *, available: int = 0, held: int = 0
) -> dict[str, Any]:
    """Fields of every entry; `available` and `held`: the changes of the account's balances."""
    return {
        "account": command.account,
        "entry": account.entry + 1,
        "balances": Balances(available=account.available + available, held=account.held + held),
        "decided_at": at,
    }


def entry_fields_without_postings(command: Command, account: Account, at: datetime) -> dict[str, Any]:
    """Fields of every entry that moves no credits."""
    return {**entry_fields(command, account, at), "postings": ()}


def build_postings(shares: GrantShares, source: str, target: str) -> tuple[Posting, ...]:
    """Two postings per grant: off the source, onto the target."""
    return tuple(
        Posting(account=side, amount=signed, grant=grant)
        for grant, amount in shares
        for side, signed in ((source, -amount), (target, amount))
    )


def extended_usable_until(shares: GrantShares, account: Account, at: datetime) -> datetime | None:
    """The end of the grace period, if a grant that gets credits back expires before it; otherwise None."""
    until = at + GRACE_PERIOD
    ends = [account.grants[number].usable_until for number, _ in shares]
    return until if any(end is not None and end < until for end in ends) else None


def check_balance_limit(amount: int, account: Account) -> None:
    """Raises LedgerRefused if `amount` more credits would exceed the largest balance."""
    if account.available + account.held + amount > MAX_CREDITS:
        raise LedgerRefused(
            Refusal.BALANCE_TOO_LARGE, f"the balance would exceed {MAX_CREDITS} credits", "amount"
        )
