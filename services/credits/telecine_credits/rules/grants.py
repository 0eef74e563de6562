"""The rules of grants, pure: how credits come in, once per reference, and how they expire."""

from __future__ import annotations

from telecine_contracts import Event
from telecine_contracts.commands import Refusal
from telecine_contracts.credits import CreditsExpired, CreditsGranted

from .account import Account
from .burn_order import in_utc, is_usable
from .commands import Expire, Grant, LedgerRefused
from .postings import check_room, entry, legs

__all__ = ["expire", "grant"]


def grant(command: Grant, account: Account) -> Event | None:
    """Issued → available; None if the reference granted the same before."""
    if command.reference in account.references:
        _check_granted_before(command, account)
        return None
    if account.is_closed:
        raise LedgerRefused(
            Refusal.ACCOUNT_CLOSED, f"account {command.account} is closed: reopen it first", "account"
        )
    if command.amount < 1:
        raise LedgerRefused(Refusal.INVALID, "amount must be 1 credit or more", "amount")
    check_room(command.amount, account)
    expires_at = in_utc(command.expires_at)
    if expires_at is not None and expires_at <= command.at:
        raise LedgerRefused(Refusal.INVALID, "the expiry must be in the future", "expires_at")
    number = account.entry + 1
    return CreditsGranted(
        **entry(command, account, available=command.amount),
        postings=legs(((number, command.amount),), "issued", f"{command.account}:available"),
        amount=command.amount,
        kind=command.kind,
        reference=command.reference,
        reason=command.reason,
        expires_at=expires_at,
    )


def _check_granted_before(command: Grant, account: Account) -> None:
    number = account.references[command.reference].entry
    before = account.grants.get(number)
    asked = command.amount, command.kind, in_utc(command.expires_at)
    if before is None:
        told = "an adjustment"
    elif (before.amount, before.kind, before.expires_at) != asked:
        told = f"a grant of {before.amount} {before.kind} credits" + (
            f" until {before.expires_at.isoformat()}" if before.expires_at else ""
        )
    else:
        return
    raise LedgerRefused(
        Refusal.REFERENCE_CONFLICT,
        f"reference {command.reference!r} was used before, for entry {number}: {told}",
        "reference",
    )


def expire(command: Expire, account: Account) -> Event | None:
    """Available → expired: all that is left of a grant whose time is over; None if there is nothing."""
    over = account.grants.get(command.grant)
    if over is None or over.available == 0 or is_usable(over, command.at):
        return None
    return CreditsExpired(
        **entry(command, account, available=-over.available),
        postings=legs(((command.grant, over.available),), f"{command.account}:available", "expired"),
        grant=command.grant,
        amount=over.available,
    )
