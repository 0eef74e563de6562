"""Rules of holds, pure: the price of a generation is debited or denied once, then settled or refunded once."""

from __future__ import annotations

from datetime import datetime

from telecine_contracts import Event
from telecine_contracts.credits import (
    CreditsDebited,
    CreditsDenied,
    CreditsRefunded,
    CreditsSettled,
    DenialReason,
    LimitReached,
)
from telecine_contracts.pricing import price_of_length

from .account import Account
from .burn_order import last_allocated, subtract, total
from .commands import Debit, Refund, Settle
from .errors import NotDebited
from .limits import limit_reached
from .postings import build_postings, entry_fields, entry_fields_without_postings, extended_usable_until

__all__ = ["debit", "refund", "settle"]


def debit(command: Debit, account: Account, at: datetime) -> Event | None:
    """Available → held, or a denial; None if the generation is decided already."""
    if account.is_decided(command.generation):
        return None
    amount = command.price.credits
    if account.is_closed:
        return _denied(command, account, at, DenialReason.ACCOUNT_CLOSED, amount)
    reached = limit_reached(command, account, at)
    if reached is not None:
        return _denied(command, account, at, DenialReason.SPEND_LIMIT, amount, reached)
    shares = account.allocate(amount, at)
    if total(shares) < amount:
        return _denied(command, account, at, DenialReason.INSUFFICIENT_CREDITS, amount)
    return CreditsDebited(
        **entry_fields(command, account, at, available=-amount, held=amount),
        postings=build_postings(shares, f"{command.account}:available", f"{command.account}:held"),
        generation=command.generation,
        amount=amount,
        price=command.price,
        api_key=command.api_key,
    )


def settle(command: Settle, account: Account, at: datetime) -> Event | None:
    """Held → spent, and what the actual length does not cost → available; None if the hold has ended already.

    Raises NotDebited if there never was one.
    """
    hold = account.holds.get(command.generation)
    if hold is None:
        if account.is_decided(command.generation):
            return None
        raise NotDebited(f"generation {command.generation} was delivered but never debited")
    amount, seconds = hold.amount, None
    if hold.by_seconds is not None and command.seconds is not None:
        seconds, amount = price_of_length(hold.by_seconds, command.seconds)
    released = last_allocated(hold.shares, hold.amount - amount)
    held = f"{command.account}:held"
    return CreditsSettled(
        **entry_fields(command, account, at, available=total(released), held=-hold.amount),
        postings=(
            *build_postings(subtract(hold.shares, released), held, "spent"),
            *build_postings(released, held, f"{command.account}:available"),
        ),
        generation=command.generation,
        amount=amount,
        seconds=seconds,
        released=total(released) or None,
        usable_until=extended_usable_until(released, account, at),
    )


def refund(command: Refund, account: Account, at: datetime) -> Event | None:
    """Held → available; None if the hold has ended already.

    A generation that ended before it was debited is denied, so that a debit that comes later charges nothing.
    """
    hold = account.holds.get(command.generation)
    if hold is None:
        if account.is_decided(command.generation):
            return None
        return _denied(command, account, at, DenialReason.GENERATION_ENDED, 0)
    return CreditsRefunded(
        **entry_fields(command, account, at, available=hold.amount, held=-hold.amount),
        postings=build_postings(hold.shares, f"{command.account}:held", f"{command.account}:available"),
        generation=command.generation,
        amount=hold.amount,
        reason=command.reason,
        usable_until=extended_usable_until(hold.shares, account, at),
    )


def _denied(
    command: Debit | Refund,
    account: Account,
    at: datetime,
    reason: DenialReason,
    needed: int,
    limit: LimitReached | None = None,
) -> CreditsDenied:
    return CreditsDenied(
        **entry_fields_without_postings(command, account, at),
        generation=command.generation,
        reason=reason,
        needed=needed,
        available=account.spendable(at),
        limit=limit,
    )
