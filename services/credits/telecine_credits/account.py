"""One account, folded from its ledger: which credits are whose, what is held, what has been spent today. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from rpds import HashTrieMap, HashTrieSet

from telecine_contracts import Event
from telecine_contracts.credits import (
    AccountClosed,
    AccountReopened,
    CreditsAdjusted,
    CreditsDebited,
    CreditsDenied,
    CreditsExpired,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    GrantKind,
    LedgerEvent,
    SpendLimitsSet,
)

from .grants import Parts, is_usable, later, moved_by_grant, taking, total, without

WHOLE_ACCOUNT = ""
"""The scope of limits that bound the account; those of an API key have the key's id for scope."""


@dataclass(frozen=True, slots=True)
class GrantState:
    """A grant and what is left of it. `expires_at` is as granted; `usable_until` follows what was given back."""

    amount: int
    kind: GrantKind
    expires_at: datetime | None
    usable_until: datetime | None
    available: int


@dataclass(frozen=True, slots=True)
class Hold:
    """What is held for one generation. `day`: of the spend limits that it counts for, those of `scopes`."""

    parts: Parts
    scopes: tuple[str, ...]
    day: date | None

    @property
    def amount(self) -> int:
        """Credits held."""
        return total(self.parts)


@dataclass(frozen=True, slots=True)
class Movement:
    """What may still be corrected of a settlement or an expiry: credits that went to `target`, by grant."""

    target: str
    parts: Parts


@dataclass(frozen=True, slots=True)
class Limits:
    """Most credits a day (of UTC) and for one generation; None does not bound."""

    per_day: int | None
    per_generation: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """An account after its entry number `entry`.

    `funded`: grants with credits available. `decided`: generations that were denied or have ended; those in `holds`
    run. `references`: the entry that each reference led to. `adjustments`: (corrects, amount) by entry. `spent`: what
    was debited under a scope on its last day, refunds taken off.
    """

    entry: int = 0
    available: int = 0
    held: int = 0
    is_closed: bool = False
    grants: HashTrieMap[int, GrantState] = HashTrieMap()  # noqa: RUF009 - immutable, as all below
    funded: HashTrieSet[int] = HashTrieSet()  # noqa: RUF009
    holds: HashTrieMap[str, Hold] = HashTrieMap()  # noqa: RUF009
    decided: HashTrieSet[str] = HashTrieSet()  # noqa: RUF009
    references: HashTrieMap[str, int] = HashTrieMap()  # noqa: RUF009
    adjustments: HashTrieMap[int, tuple[int, int]] = HashTrieMap()  # noqa: RUF009
    corrigible: HashTrieMap[int, Movement] = HashTrieMap()  # noqa: RUF009
    limits: HashTrieMap[str, Limits] = HashTrieMap()  # noqa: RUF009
    spent: HashTrieMap[str, tuple[date, int]] = HashTrieMap()  # noqa: RUF009

    def spendable(self, at: datetime) -> int:
        """Credits that a debit could take at that time: available, and not of a grant whose time is over."""
        return sum(
            grant.available for grant in map(self.grants.__getitem__, self.funded) if is_usable(grant, at)
        )

    def paying(self, amount: int, at: datetime | None) -> Parts:
        """Which grants pay `amount`; less than that if there is less (see `grants.taking`)."""
        return taking({number: self.grants[number] for number in self.funded}, amount, at)

    def used(self, scope: str, at: datetime) -> int:
        """Credits debited under a scope on the day of `at`."""
        day, amount = self.spent.get(scope) or (None, 0)
        return amount if day is not None and day >= utc_day(at) else 0


def utc_day(at: datetime) -> date:
    """The day that spend limits count `at` for."""
    return at.astimezone(UTC).date()


def scopes(api_key: str | None) -> tuple[str, ...]:
    """Under which limits a debit falls."""
    return (WHOLE_ACCOUNT,) if api_key is None else (WHOLE_ACCOUNT, api_key)


def evolve(account: Account, event: Event) -> Account:
    """The account after an entry of its ledger."""
    if not isinstance(event, LedgerEvent):
        return account
    account = _moved(account, event)
    return replace(account, entry=event.entry, available=event.balances.available, held=event.balances.held)


def _moved(account: Account, event: LedgerEvent) -> Account:
    match event:
        case CreditsGranted():
            return _granted(account, event)
        case CreditsDebited():
            return _debited(account, event)
        case CreditsDenied():
            return replace(account, decided=account.decided.insert(event.generation))
        case CreditsSettled():
            movement = Movement("spent", account.holds[event.generation].parts)
            return replace(
                _released(account, event.generation),
                corrigible=account.corrigible.insert(event.entry, movement),
            )
        case CreditsRefunded():
            hold = account.holds[event.generation]
            account = _given_back(_released(account, event.generation), hold.parts, event.usable_until)
            return _unspent(account, hold)
        case CreditsExpired():
            parts = ((event.grant, event.amount),)
            movement = Movement("expired", parts)
            return replace(
                _taken(account, parts), corrigible=account.corrigible.insert(event.entry, movement)
            )
        case CreditsAdjusted():
            return _adjusted(account, event)
        case AccountClosed():
            return replace(account, is_closed=True)
        case AccountReopened():
            return replace(account, is_closed=False)
        case SpendLimitsSet():
            limits = Limits(event.per_day, event.per_generation)
            return replace(account, limits=account.limits.insert(event.api_key or WHOLE_ACCOUNT, limits))
        case _:
            return account


def _granted(account: Account, event: CreditsGranted) -> Account:
    grant = GrantState(event.amount, event.kind, event.expires_at, event.expires_at, event.amount)
    return replace(
        account,
        grants=account.grants.insert(event.entry, grant),
        funded=account.funded.insert(event.entry),
        references=account.references.insert(event.reference, event.entry),
    )


def _debited(account: Account, event: CreditsDebited) -> Account:
    # Entries from before 0.2 do not name their grants; the rule that came later tells which they were.
    parts = moved_by_grant(event) or account.paying(event.amount, None)
    falls_under = scopes(event.api_key)
    day = None
    if event.decided_at is not None:
        day = max(
            [utc_day(event.decided_at), *(account.spent[s][0] for s in falls_under if s in account.spent)]
        )
        for scope in falls_under:
            last, amount = account.spent.get(scope) or (day, 0)
            amount = event.amount + (amount if last == day else 0)
            account = replace(account, spent=account.spent.insert(scope, (day, amount)))
    hold = Hold(parts, falls_under, day)
    return replace(_taken(account, parts), holds=account.holds.insert(event.generation, hold))


def _adjusted(account: Account, event: CreditsAdjusted) -> Account:
    parts = moved_by_grant(event)
    account = replace(
        account,
        references=account.references.insert(event.reference, event.entry),
        adjustments=account.adjustments.insert(event.entry, (event.corrects, event.amount)),
    )
    movement = account.corrigible.get(event.corrects)
    if movement is None:
        return _taken(account, parts)
    left = replace(movement, parts=without(movement.parts, parts))
    account = replace(account, corrigible=account.corrigible.insert(event.corrects, left))
    return _given_back(account, parts, event.usable_until)


def _released(account: Account, generation: str) -> Account:
    return replace(
        account, holds=account.holds.remove(generation), decided=account.decided.insert(generation)
    )


def _taken(account: Account, parts: Parts) -> Account:
    grants, funded = account.grants, account.funded
    for number, amount in parts:
        left = replace(grants[number], available=grants[number].available - amount)
        grants = grants.insert(number, left)
        if left.available == 0:
            funded = funded.remove(number)
    return replace(account, grants=grants, funded=funded)


def _given_back(account: Account, parts: Parts, usable_until: datetime | None) -> Account:
    grants, funded = account.grants, account.funded
    for number, amount in parts:
        grant = grants[number]
        until = later(grant.usable_until, usable_until)
        grants = grants.insert(number, replace(grant, available=grant.available + amount, usable_until=until))
        funded = funded.insert(number)
    return replace(account, grants=grants, funded=funded)


def _unspent(account: Account, hold: Hold) -> Account:
    """A refund makes room under the limits of the day that the debit counted for."""
    for scope in _still_on(account, hold):
        day, amount = account.spent[scope]
        account = replace(account, spent=account.spent.insert(scope, (day, amount - hold.amount)))
    return account


def _still_on(account: Account, hold: Hold) -> Iterable[str]:
    return [s for s in hold.scopes if hold.day is not None and account.spent[s][0] == hold.day]
