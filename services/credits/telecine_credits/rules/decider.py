"""The rules of the ledger, pure: what a command leads to, and what a generation is charged."""

from __future__ import annotations

from typing import assert_never

from telecine_contracts import Event
from telecine_contracts.commands import Refusal
from telecine_contracts.credits import (
    AccountClosed,
    AccountReopened,
    CreditsDebited,
    CreditsDenied,
    CreditsRefunded,
    CreditsSettled,
    DenialReason,
    LimitReached,
    MessageSkipped,
)

from .account import Account, evolve
from .adjustments import adjust
from .burn_order import total
from .commands import (
    Adjust,
    Close,
    Command,
    Debit,
    Expire,
    Grant,
    LedgerRefused,
    NotDebited,
    Refund,
    Reopen,
    SetLimits,
    Settle,
    Skip,
)
from .grants import expire, grant
from .limits import limit_reached, set_limits
from .postings import GRACE, entry, legs, unmoved, usable_until

__all__ = [
    "GRACE",
    "Account",
    "Adjust",
    "Close",
    "Command",
    "Debit",
    "Expire",
    "Grant",
    "LedgerRefused",
    "NotDebited",
    "Refund",
    "Reopen",
    "SetLimits",
    "Settle",
    "Skip",
    "decide",
    "evolve",
    "skipped_by",
]


def decide(command: Command, account: Account) -> Event | None:
    """The entry that `command` leads to; None when it was carried out before or nothing is left to do.

    Raises LedgerRefused, or NotDebited for a delivery without a debit.
    """
    match command:
        case Grant():
            return grant(command, account)
        case Debit():
            return _debit(command, account)
        case Settle():
            return _settle(command, account)
        case Refund():
            return _refund(command, account)
        case Expire():
            return expire(command, account)
        case Adjust():
            return adjust(command, account)
        case Close():
            return _close(command, account)
        case Reopen():
            return _reopen(command, account)
        case SetLimits():
            return set_limits(command, account)
        case Skip():
            return MessageSkipped(
                **unmoved(command, account),
                skips=command.sequence,
                sha256=command.sha256,
                reason=command.reason,
            )
        case _:
            assert_never(command)


def _debit(command: Debit, account: Account) -> Event | None:
    """Available → held, or a denial: decided once."""
    if account.is_decided(command.generation):
        return None
    amount = command.price.credits
    if account.is_closed:
        return _denied(command, account, DenialReason.ACCOUNT_CLOSED, amount)
    reached = limit_reached(command, account)
    if reached is not None:
        return _denied(command, account, DenialReason.SPEND_LIMIT, amount, reached)
    parts = account.paying(amount, command.at)
    if total(parts) < amount:
        return _denied(command, account, DenialReason.INSUFFICIENT_CREDITS, amount)
    return CreditsDebited(
        **entry(command, account, available=-amount, held=amount),
        postings=legs(parts, f"{command.account}:available", f"{command.account}:held"),
        generation=command.generation,
        amount=amount,
        price=command.price,
        api_key=command.api_key,
    )


def _settle(command: Settle, account: Account) -> Event | None:
    """Held → spent."""
    hold = account.holds.get(command.generation)
    if hold is None:
        if account.is_decided(command.generation):
            return None
        raise NotDebited(f"generation {command.generation} was delivered but never debited")
    return CreditsSettled(
        **entry(command, account, held=-hold.amount),
        postings=legs(hold.parts, f"{command.account}:held", "spent"),
        generation=command.generation,
        amount=hold.amount,
    )


def _refund(command: Refund, account: Account) -> Event | None:
    """Held → available. A generation that ended before its debit was decided is denied it, for good."""
    hold = account.holds.get(command.generation)
    if hold is None:
        if account.is_decided(command.generation):
            return None
        return _denied(command, account, DenialReason.GENERATION_ENDED, 0)
    return CreditsRefunded(
        **entry(command, account, available=hold.amount, held=-hold.amount),
        postings=legs(hold.parts, f"{command.account}:held", f"{command.account}:available"),
        generation=command.generation,
        amount=hold.amount,
        reason=command.reason,
        usable_until=usable_until(hold.parts, account, command.at),
    )


def _denied(
    command: Debit | Refund,
    account: Account,
    reason: DenialReason,
    needed: int,
    limit: LimitReached | None = None,
) -> CreditsDenied:
    return CreditsDenied(
        **unmoved(command, account),
        generation=command.generation,
        reason=reason,
        needed=needed,
        available=account.spendable(command.at),
        limit=limit,
    )


def _close(command: Close, account: Account) -> Event | None:
    if account.is_closed:
        return None
    if account.entry == 0:
        raise LedgerRefused(
            Refusal.INVALID,
            f"there is no account {command.account}: an account comes into being with its first grant",
            "account",
        )
    return AccountClosed(**unmoved(command, account), reason=command.reason)


def _reopen(command: Reopen, account: Account) -> Event | None:
    if not account.is_closed:
        return None
    return AccountReopened(**unmoved(command, account), reason=command.reason)


def skipped_by(event: Event) -> int | None:
    """The sequence of the message on LEDGER that this entry passes over."""
    return event.skips if isinstance(event, MessageSkipped) else None
