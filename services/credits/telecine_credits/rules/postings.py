"""What all entries of the ledger are made of: their number, balances and postings. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from telecine_contracts import MAX_CREDITS
from telecine_contracts.commands import Refusal
from telecine_contracts.credits import Balances, Posting

from .account import Account
from .burn_order import Parts
from .commands import Command, LedgerRefused

__all__ = ["GRACE", "check_room", "entry", "legs", "unmoved", "usable_until"]

GRACE = timedelta(days=1)
"""How long credits that were given back can be spent at least, though their grant expired meanwhile."""


def entry(command: Command, account: Account, *, available: int = 0, held: int = 0) -> dict[str, Any]:
    """What every entry has; `available` and `held`: by how much it changes them."""
    return {
        "account": command.account,
        "entry": account.entry + 1,
        "balances": Balances(available=account.available + available, held=account.held + held),
        "decided_at": command.at,
    }


def unmoved(command: Command, account: Account) -> dict[str, Any]:
    """What every entry has that moves nothing."""
    return {**entry(command, account), "postings": ()}


def legs(parts: Parts, source: str, target: str) -> tuple[Posting, ...]:
    """Two legs for every grant: off the source, onto the target."""
    return tuple(
        Posting(account=side, amount=signed, grant=grant)
        for grant, amount in parts
        for side, signed in ((source, -amount), (target, amount))
    )


def usable_until(parts: Parts, account: Account, at: datetime) -> datetime | None:
    """Credits that come back can be spent for a while, though the time of their grant is over, or nearly."""
    until = at + GRACE
    ends = [account.grants[number].usable_until for number, _ in parts]
    return until if any(end is not None and end < until for end in ends) else None


def check_room(amount: int, account: Account) -> None:
    """Raises LedgerRefused if the account would have more than can be counted."""
    if account.available + account.held + amount > MAX_CREDITS:
        raise LedgerRefused(
            Refusal.BALANCE_TOO_LARGE, f"the balance would exceed {MAX_CREDITS} credits", "amount"
        )
