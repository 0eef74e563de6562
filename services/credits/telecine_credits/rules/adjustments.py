"""Rules of adjustments, pure: an entry is corrected by a new entry, never edited."""

from __future__ import annotations

from datetime import datetime
from typing import NoReturn

from telecine_contracts import Event
from telecine_contracts.commands import AdjustCredits, Refusal
from telecine_contracts.credits import CreditsAdjusted

from .account import Account, Movement
from .burn_order import GrantShares, last_allocated, total
from .errors import LedgerRefused
from .postings import build_postings, check_balance_limit, entry_fields, extended_usable_until

__all__ = ["adjust"]


def adjust(command: AdjustCredits, account: Account, at: datetime) -> Event | None:
    """Reverse (part of) an entry: take back a grant, return what was settled or expired.

    None if the reference adjusted the same before.
    """
    if command.reference in account.references:
        _check_same_adjustment(command, account)
        return None
    movement = account.corrigible.get(command.corrects)
    if movement is None:
        return _take_back(command, account, at)
    return _give_back(command, account, at, movement)


def _check_same_adjustment(command: AdjustCredits, account: Account) -> None:
    number = account.references[command.reference].entry
    earlier = account.adjustments.get(number)
    if earlier == (command.corrects, command.amount):
        return
    description = f"an adjustment of entry {earlier[0]} by {earlier[1]} credits" if earlier else "a grant"
    raise LedgerRefused(
        Refusal.REFERENCE_CONFLICT,
        f"reference {command.reference!r} was used before, for entry {number}: {description}",
        "reference",
    )


def _take_back(command: AdjustCredits, account: Account, at: datetime) -> Event:
    """Available → issued."""
    grant = account.grants.get(command.corrects)
    if grant is None:
        _refuse(
            f"entry {command.corrects} of account {command.account} is not a grant, a settlement or an expiry",
            "corrects",
        )
    if command.amount > grant.available:
        _refuse(
            f"only {grant.available} of the {grant.amount} credits of entry {command.corrects} are available",
            "amount",
        )
    shares = ((command.corrects, command.amount),)
    return CreditsAdjusted(
        **entry_fields(command, account, at, available=-command.amount),
        postings=build_postings(shares, f"{command.account}:available", "issued"),
        corrects=command.corrects,
        amount=command.amount,
        reference=command.reference,
        reason=command.reason,
    )


def _give_back(command: AdjustCredits, account: Account, at: datetime, movement: Movement) -> Event:
    """Spent or expired → available; what was allocated last returns first."""
    left = total(movement.shares)
    if command.amount > left:
        _refuse(f"only {left} of the credits of entry {command.corrects} are left to be given back", "amount")
    check_balance_limit(command.amount, account)
    shares: GrantShares = last_allocated(movement.shares, command.amount)
    return CreditsAdjusted(
        **entry_fields(command, account, at, available=command.amount),
        postings=build_postings(shares, movement.target, f"{command.account}:available"),
        corrects=command.corrects,
        amount=command.amount,
        reference=command.reference,
        reason=command.reason,
        usable_until=extended_usable_until(shares, account, at),
    )


def _refuse(message: str, field: str) -> NoReturn:
    raise LedgerRefused(Refusal.NOT_CORRECTABLE, message, field)
