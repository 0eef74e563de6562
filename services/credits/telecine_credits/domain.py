"""The rules of the ledger, pure: what may be granted, debited, settled and refunded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from rpds import HashTrieMap, HashTrieSet

from telecine_contracts import MAX_CREDITS, Event
from telecine_contracts.credits import (
    Balances,
    CreditsDebited,
    CreditsDenied,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    DenialReason,
    GrantKind,
    Posting,
)
from telecine_contracts.pricing import Price


class GrantRefused(ValueError):
    """The grant would break a rule; the message says which."""


class NotDebited(ValueError):
    """A delivery of something that was never paid for: a broken invariant, for a person to look at."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Give credits to an account, once per reference."""

    account: str
    amount: int
    kind: GrantKind
    reference: str
    reason: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Debit:
    """Reserve the price of a generation, or deny it: decided once."""

    account: str
    generation: str
    price: Price


@dataclass(frozen=True, slots=True)
class Settle:
    """The video was delivered."""

    account: str
    generation: str


@dataclass(frozen=True, slots=True)
class Refund:
    """The generation ended without a video."""

    account: str
    generation: str
    reason: str


Command = Grant | Debit | Settle | Refund


@dataclass(frozen=True, slots=True)
class Account:
    """One account, folded. `holds`: credits held per running generation; `closed`: generations that are decided."""

    entry: int = 0
    available: int = 0
    held: int = 0
    holds: HashTrieMap[str, int] = HashTrieMap()  # noqa: RUF009 - immutable
    closed: HashTrieSet[str] = HashTrieSet()  # noqa: RUF009 - immutable
    references: HashTrieMap[str, int] = HashTrieMap()  # noqa: RUF009 - immutable


def decide(command: Command, account: Account) -> Event | None:
    """The entry that `command` leads to; None when it was carried out before.

    Raises GrantRefused, or NotDebited for a delivery without a debit.
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
        case _:
            assert_never(command)


def _grant(command: Grant, account: Account) -> Event | None:
    before = account.references.get(command.reference)
    if before is not None:
        if before == command.amount:
            return None
        raise GrantRefused(f"reference {command.reference!r} was granted before, with {before} credits")
    if command.amount < 1:
        raise GrantRefused("amount must be 1 credit or more")
    if account.available + account.held + command.amount > MAX_CREDITS:
        raise GrantRefused(f"the balance would exceed {MAX_CREDITS} credits")
    return CreditsGranted(
        account=command.account,
        entry=account.entry + 1,
        postings=_move(command.amount, "issued", f"{command.account}:available"),
        balances=Balances(available=account.available + command.amount, held=account.held),
        amount=command.amount,
        kind=command.kind,
        reference=command.reference,
        reason=command.reason,
        expires_at=command.expires_at,
    )


def _debit(command: Debit, account: Account) -> Event | None:
    if _is_decided(command.generation, account):
        return None
    amount = command.price.credits
    if amount > account.available:
        return _denied(
            command.account, command.generation, account, DenialReason.INSUFFICIENT_CREDITS, amount
        )
    return CreditsDebited(
        account=command.account,
        entry=account.entry + 1,
        postings=_move(amount, f"{command.account}:available", f"{command.account}:held"),
        balances=Balances(available=account.available - amount, held=account.held + amount),
        generation=command.generation,
        amount=amount,
        price=command.price,
    )


def _settle(command: Settle, account: Account) -> Event | None:
    amount = account.holds.get(command.generation)
    if amount is None:
        if command.generation in account.closed:
            return None
        raise NotDebited(f"generation {command.generation} was delivered but never debited")
    return CreditsSettled(
        account=command.account,
        entry=account.entry + 1,
        postings=_move(amount, f"{command.account}:held", "spent"),
        balances=Balances(available=account.available, held=account.held - amount),
        generation=command.generation,
        amount=amount,
    )


def _refund(command: Refund, account: Account) -> Event | None:
    """Give back what is held. A generation that ended before its debit was decided is denied it, for good."""
    amount = account.holds.get(command.generation)
    if amount is None:
        if command.generation in account.closed:
            return None
        return _denied(command.account, command.generation, account, DenialReason.GENERATION_ENDED, 0)
    return CreditsRefunded(
        account=command.account,
        entry=account.entry + 1,
        postings=_move(amount, f"{command.account}:held", f"{command.account}:available"),
        balances=Balances(available=account.available + amount, held=account.held - amount),
        generation=command.generation,
        amount=amount,
        reason=command.reason,
    )


def _denied(name: str, generation: str, account: Account, reason: DenialReason, needed: int) -> CreditsDenied:
    return CreditsDenied(
        account=name,
        entry=account.entry + 1,
        postings=(),
        balances=Balances(available=account.available, held=account.held),
        generation=generation,
        reason=reason,
        needed=needed,
        available=account.available,
    )


def _is_decided(generation: str, account: Account) -> bool:
    return generation in account.holds or generation in account.closed


def _move(amount: int, source: str, target: str) -> tuple[Posting, Posting]:
    return Posting(account=source, amount=-amount), Posting(account=target, amount=amount)


def evolve(account: Account, event: Event) -> Account:
    """The account after an entry of its ledger."""
    match event:
        case CreditsGranted():
            account = replace(account, references=account.references.insert(event.reference, event.amount))
        case CreditsDebited():
            account = replace(account, holds=account.holds.insert(event.generation, event.amount))
        case CreditsDenied():
            account = replace(account, closed=account.closed.insert(event.generation))
        case CreditsSettled() | CreditsRefunded():
            account = replace(
                account,
                holds=account.holds.remove(event.generation),
                closed=account.closed.insert(event.generation),
            )
        case _:
            return account
    return replace(account, entry=event.entry, available=event.balances.available, held=event.balances.held)
