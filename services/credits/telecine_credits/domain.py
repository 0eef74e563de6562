"""The rules of the ledger, pure: what may be granted, debited, settled, refunded, expired and adjusted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, assert_never

from telecine_contracts import MAX_CREDITS, Event
from telecine_contracts.commands import Refusal
from telecine_contracts.credits import (
    AccountClosed,
    AccountReopened,
    Balances,
    CreditsAdjusted,
    CreditsDebited,
    CreditsDenied,
    CreditsExpired,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    DenialReason,
    LimitPeriod,
    LimitReached,
    LimitScope,
    Posting,
    SpendLimitsSet,
)

from .account import (
    WHOLE_ACCOUNT,
    Account,
    Limits,
    Movement,
    evolve,
    scopes,
)
from .commands import Adjust, Close, Command, Debit, Expire, Grant, Refund, Reopen, SetLimits, Settle
from .grants import Parts, is_usable, last_taken, total

__all__ = [
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
    "decide",
    "evolve",
]

GRACE = timedelta(days=1)
"""How long credits that were given back can be spent at least, though their grant expired meanwhile."""


class LedgerRefused(ValueError):
    """A command would break a rule. `refusal` says which kind of rule, `field` what it is about, the text the rest."""

    def __init__(self, refusal: Refusal, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.field = field


class NotDebited(ValueError):
    """A delivery of something that was never paid for: a broken invariant, for a person to look at."""


def decide(command: Command, account: Account) -> Event | None:
    """The entry that `command` leads to; None when it was carried out before or nothing is left to do.

    Raises LedgerRefused, or NotDebited for a delivery without a debit.
    """
    match command:
        case Grant():
            return _grant(command, account)
        case Debit():
            return _debit(command, account)
        case Settle():
            return _settle(command, account)
        case Refund():
            return _refund(command, account)
        case Expire():
            return _expire(command, account)
        case Adjust():
            return _adjust(command, account)
        case Close():
            if account.is_closed:
                return None
            return AccountClosed(**_unmoved(command, account), reason=command.reason)
        case Reopen():
            if not account.is_closed:
                return None
            return AccountReopened(**_unmoved(command, account), reason=command.reason)
        case SetLimits():
            return _set_limits(command, account)
        case _:
            assert_never(command)


def _grant(command: Grant, account: Account) -> Event | None:
    if command.reference in account.references:
        _check_granted_before(command, account)
        return None
    if account.is_closed:
        raise LedgerRefused(
            Refusal.ACCOUNT_CLOSED, f"account {command.account} is closed: reopen it first", "account"
        )
    _check_amount(command.amount, account)
    if command.expires_at is not None and command.expires_at <= command.at:
        raise LedgerRefused(Refusal.INVALID, "expires_at must be in the future", "expires_at")
    number = account.entry + 1
    return CreditsGranted(
        **_entry(command, account, available=command.amount),
        postings=_move(((number, command.amount),), "issued", f"{command.account}:available"),
        amount=command.amount,
        kind=command.kind,
        reference=command.reference,
        reason=command.reason,
        expires_at=command.expires_at,
    )


def _check_granted_before(command: Grant, account: Account) -> None:
    number = account.references[command.reference]
    grant = account.grants.get(number)
    if grant is None:
        told = "an adjustment"
    elif (grant.amount, grant.kind, grant.expires_at) != (command.amount, command.kind, command.expires_at):
        told = f"a grant of {grant.amount} {grant.kind} credits" + (
            f" until {grant.expires_at.isoformat()}" if grant.expires_at else ""
        )
    else:
        return
    raise LedgerRefused(
        Refusal.REFERENCE_CONFLICT,
        f"reference {command.reference!r} was used before, for entry {number}: {told}",
        "reference",
    )


def _check_amount(amount: int, account: Account) -> None:
    if amount < 1:
        raise LedgerRefused(Refusal.INVALID, "amount must be 1 credit or more", "amount")
    if account.available + account.held + amount > MAX_CREDITS:
        raise LedgerRefused(
            Refusal.BALANCE_TOO_LARGE, f"the balance would exceed {MAX_CREDITS} credits", "amount"
        )


def _debit(command: Debit, account: Account) -> Event | None:
    if _is_decided(command.generation, account):
        return None
    amount = command.price.credits
    if account.is_closed:
        return _denied(command, account, DenialReason.ACCOUNT_CLOSED, amount)
    reached = _limit_reached(command, account)
    if reached is not None:
        return _denied(command, account, DenialReason.SPEND_LIMIT, amount, reached)
    parts = account.paying(amount, command.at)
    if total(parts) < amount:
        return _denied(command, account, DenialReason.INSUFFICIENT_CREDITS, amount)
    return CreditsDebited(
        **_entry(command, account, available=-amount, held=amount),
        postings=_move(parts, f"{command.account}:available", f"{command.account}:held"),
        generation=command.generation,
        amount=amount,
        price=command.price,
        api_key=command.api_key,
    )


def _limit_reached(command: Debit, account: Account) -> LimitReached | None:
    for scope in scopes(command.api_key):
        limits = account.limits.get(scope)
        if limits is None:
            continue
        used = account.used(scope, command.at)
        for per, limit, before in (
            (LimitPeriod.GENERATION, limits.per_generation, 0),
            (LimitPeriod.DAY, limits.per_day, used),
        ):
            if limit is not None and before + command.price.credits > limit:
                whose = LimitScope.ACCOUNT if scope == WHOLE_ACCOUNT else LimitScope.API_KEY
                return LimitReached(scope=whose, per=per, limit=limit, used=before)
    return None


def _settle(command: Settle, account: Account) -> Event | None:
    hold = account.holds.get(command.generation)
    if hold is None:
        if command.generation in account.decided:
            return None
        raise NotDebited(f"generation {command.generation} was delivered but never debited")
    return CreditsSettled(
        **_entry(command, account, held=-hold.amount),
        postings=_move(hold.parts, f"{command.account}:held", "spent"),
        generation=command.generation,
        amount=hold.amount,
    )


def _refund(command: Refund, account: Account) -> Event | None:
    """Give back what is held. A generation that ended before its debit was decided is denied it, for good."""
    hold = account.holds.get(command.generation)
    if hold is None:
        if command.generation in account.decided:
            return None
        return _denied(command, account, DenialReason.GENERATION_ENDED, 0)
    return CreditsRefunded(
        **_entry(command, account, available=hold.amount, held=-hold.amount),
        postings=_move(hold.parts, f"{command.account}:held", f"{command.account}:available"),
        generation=command.generation,
        amount=hold.amount,
        reason=command.reason,
        usable_until=_usable_until(hold.parts, account, command.at),
    )


def _usable_until(parts: Parts, account: Account, at: datetime) -> datetime | None:
    """Credits that come back can be spent for a while, though the time of their grant is over, or nearly."""
    until = at + GRACE
    return until if any(not is_usable(account.grants[number], until) for number, _ in parts) else None


def _expire(command: Expire, account: Account) -> Event | None:
    grant = account.grants.get(command.grant)
    if grant is None or grant.available == 0 or is_usable(grant, command.at):
        return None
    parts = ((command.grant, grant.available),)
    return CreditsExpired(
        **_entry(command, account, available=-grant.available),
        postings=_move(parts, f"{command.account}:available", "expired"),
        grant=command.grant,
        amount=grant.available,
    )


def _adjust(command: Adjust, account: Account) -> Event | None:
    before = account.references.get(command.reference)
    if before is not None:
        _check_adjusted_before(command, account, before)
        return None
    if command.amount < 1:
        raise LedgerRefused(Refusal.INVALID, "amount must be 1 credit or more", "amount")
    movement = account.corrigible.get(command.corrects)
    if movement is not None:
        return _give_back(command, account, movement)
    return _take_back(command, account)


def _check_adjusted_before(command: Adjust, account: Account, number: int) -> None:
    before = account.adjustments.get(number)
    if before == (command.corrects, command.amount):
        return
    told = f"an adjustment of entry {before[0]} by {before[1]} credits" if before else "a grant"
    raise LedgerRefused(
        Refusal.REFERENCE_CONFLICT,
        f"reference {command.reference!r} was used before, for entry {number}: {told}",
        "reference",
    )


def _take_back(command: Adjust, account: Account) -> Event:
    grant = account.grants.get(command.corrects)
    if grant is None:
        raise LedgerRefused(
            Refusal.NOT_CORRECTABLE,
            f"entry {command.corrects} of account {command.account} is not a grant, a settlement or an expiry",
            "corrects",
        )
    if command.amount > grant.available:
        raise LedgerRefused(
            Refusal.NOT_CORRECTABLE,
            f"only {grant.available} of the {grant.amount} credits of entry {command.corrects} are available",
            "amount",
        )
    return CreditsAdjusted(
        **_entry(command, account, available=-command.amount),
        postings=_move(((command.corrects, command.amount),), f"{command.account}:available", "issued"),
        corrects=command.corrects,
        amount=command.amount,
        reference=command.reference,
        reason=command.reason,
    )


def _give_back(command: Adjust, account: Account, movement: Movement) -> Event:
    left = total(movement.parts)
    if command.amount > left:
        raise LedgerRefused(
            Refusal.NOT_CORRECTABLE,
            f"only {left} of the credits of entry {command.corrects} are left to be given back",
            "amount",
        )
    _check_amount(command.amount, account)
    parts = last_taken(movement.parts, command.amount)
    return CreditsAdjusted(
        **_entry(command, account, available=command.amount),
        postings=_move(parts, movement.target, f"{command.account}:available"),
        corrects=command.corrects,
        amount=command.amount,
        reference=command.reference,
        reason=command.reason,
        usable_until=_usable_until(parts, account, command.at),
    )


def _set_limits(command: SetLimits, account: Account) -> Event | None:
    for field in ("per_day", "per_generation"):
        limit = getattr(command, field)
        if limit is not None and not 0 <= limit <= MAX_CREDITS:
            raise LedgerRefused(Refusal.INVALID, f"{field} must be from 0 to {MAX_CREDITS} credits", field)
    wanted = Limits(command.per_day, command.per_generation)
    if wanted == account.limits.get(command.api_key or WHOLE_ACCOUNT, Limits(None, None)):
        return None
    return SpendLimitsSet(
        **_unmoved(command, account),
        api_key=command.api_key,
        per_day=command.per_day,
        per_generation=command.per_generation,
    )


def _denied(
    command: Debit | Refund,
    account: Account,
    reason: DenialReason,
    needed: int,
    limit: LimitReached | None = None,
) -> CreditsDenied:
    return CreditsDenied(
        **_unmoved(command, account),
        generation=command.generation,
        reason=reason,
        needed=needed,
        available=account.spendable(command.at),
        limit=limit,
    )


def _is_decided(generation: str, account: Account) -> bool:
    return generation in account.holds or generation in account.decided


def _entry(command: Command, account: Account, *, available: int = 0, held: int = 0) -> dict[str, Any]:
    """What every entry has; `available` and `held`: by how much it changes them."""
    return {
        "account": command.account,
        "entry": account.entry + 1,
        "balances": Balances(available=account.available + available, held=account.held + held),
        "decided_at": command.at,
    }


def _unmoved(command: Command, account: Account) -> dict[str, Any]:
    return {**_entry(command, account), "postings": ()}


def _move(parts: Parts, source: str, target: str) -> tuple[Posting, ...]:
    """Two legs for every grant: off the source, onto the target."""
    return tuple(
        Posting(account=side, amount=signed, grant=grant)
        for grant, amount in parts
        for side, signed in ((source, -amount), (target, amount))
    )
