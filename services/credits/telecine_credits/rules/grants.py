"""Rules of grants, pure: credits are granted once per reference, and expire."""

from __future__ import annotations

from datetime import datetime

from telecine_contracts import Event
from telecine_contracts.commands import GrantCredits, Refusal
from telecine_contracts.credits import CreditsExpired, CreditsGranted

from .account import Account
from .burn_order import is_usable
from .commands import Expire
from .errors import LedgerRefused
from .postings import build_postings, check_balance_limit, entry_fields

__all__ = ["expire", "grant"]


def grant(command: GrantCredits, account: Account, at: datetime) -> Event | None:
    """Issued → available; None if the reference granted the same before."""
    if command.reference in account.references:
        _check_same_grant(command, account)
        return None
    if account.is_closed:
        raise LedgerRefused(
            Refusal.ACCOUNT_CLOSED, f"account {command.account} is closed: reopen it first", "account"
        )
    check_balance_limit(command.amount, account)
    if command.expires_at is not None and command.expires_at <= at:
        raise LedgerRefused(Refusal.INVALID, "the expiry must be in the future", "expires_at")
    number = account.entry + 1
    return CreditsGranted(
        **entry_fields(command, account, at, available=command.amount),
        postings=build_postings(((number, command.amount),), "issued", f"{command.account}:available"),
        amount=command.amount,
        kind=command.kind,
        reference=command.reference,
        reason=command.reason,
        expires_at=command.expires_at,
    )


def _check_same_grant(command: GrantCredits, account: Account) -> None:
    number = account.references[command.reference].entry
    earlier = account.grants.get(number)
    if earlier is None:
        description = "an adjustment"
    elif (earlier.amount, earlier.kind, earlier.expires_at) != (
        command.amount,
        command.kind,
        command.expires_at,
    ):
        until = f" until {earlier.expires_at.isoformat()}" if earlier.expires_at else ""
        description = f"a grant of {earlier.amount} {earlier.kind} credits{until}"
    else:
        return
    raise LedgerRefused(
        Refusal.REFERENCE_CONFLICT,
        f"reference {command.reference!r} was used before, for entry {number}: {description}",
        "reference",
    )


def expire(command: Expire, account: Account, at: datetime) -> Event | None:
    """Available → expired: all that is left of a grant whose time is over; None if nothing is."""
    expired = account.grants.get(command.grant)
    if expired is None or expired.available == 0 or is_usable(expired, at):
        return None
    return CreditsExpired(
        **entry_fields(command, account, at, available=-expired.available),
        postings=build_postings(
            ((command.grant, expired.available),), f"{command.account}:available", "expired"
        ),
        grant=command.grant,
        amount=expired.available,
    )
