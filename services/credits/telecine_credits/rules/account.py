"""State of one account, folded from its ledger: grants, holds, limits, and what was spent today. Pure."""

from __future__ import annotations

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

from .burn_order import (
    GrantShares,
    allocate,
    in_utc,
    is_usable,
    last_allocated,
    latest_end,
    shares_of_entry,
    subtract,
    total,
)

ACCOUNT_SCOPE = ""
"""Scope of the limits of the whole account; those of an API key have the key's id as scope."""


@dataclass(frozen=True, slots=True)
class EntryReference:
    """Number of an entry and when it was decided; entries from before 0.2 do not say when."""

    entry: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class GrantState:
    """A grant and what is left of it. `expires_at` is as granted; returned credits may extend `usable_until`."""

    amount: int
    kind: GrantKind
    expires_at: datetime | None
    usable_until: datetime | None
    available: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits held for one generation. It counts for the limits of `scopes` on `day`.

    `by_seconds`: where the model chooses the length, the credits of each.
    """

    shares: GrantShares
    scopes: tuple[str, ...]
    day: date | None
    by_seconds: tuple[tuple[int, int], ...] | None = None

    @property
    def amount(self) -> int:
        """Credits held."""
        return total(self.shares)


@dataclass(frozen=True, slots=True)
class Movement:
    """What may still be corrected of a settlement or an expiry: credits that moved to `target`, by grant."""

    target: str
    shares: GrantShares


@dataclass(frozen=True, slots=True)
class Limits:
    """Most credits per day (UTC) and per generation; None: no limit. `decided`: the entry that set them."""

    per_day: int | None
    per_generation: int | None
    decided: EntryReference | None = None


UNLIMITED = Limits(None, None)


@dataclass(frozen=True, slots=True)
class Account:
    """An account after its entry number `entry`.

    `status`: the entry that closed or reopened it last. `funded`: grants with credits available. `ended`: generations
    that were denied or have ended; `holds`: those that run. `references`: the entry of each reference.
    `adjustments`: (corrects, amount) by entry. `corrigible`: settlements and expiries by entry. `spent`: by scope, the
    day of its last debit and the credits debited on it, less refunds.
    """

    entry: int = 0
    available: int = 0
    held: int = 0
    is_closed: bool = False
    status: EntryReference | None = None
    grants: HashTrieMap[int, GrantState] = HashTrieMap()  # noqa: RUF009 - immutable, as all below
    funded: HashTrieSet[int] = HashTrieSet()  # noqa: RUF009
    holds: HashTrieMap[str, Hold] = HashTrieMap()  # noqa: RUF009
    ended: HashTrieSet[str] = HashTrieSet()  # noqa: RUF009
    references: HashTrieMap[str, EntryReference] = HashTrieMap()  # noqa: RUF009
    adjustments: HashTrieMap[int, tuple[int, int]] = HashTrieMap()  # noqa: RUF009
    corrigible: HashTrieMap[int, Movement] = HashTrieMap()  # noqa: RUF009
    limits: HashTrieMap[str, Limits] = HashTrieMap()  # noqa: RUF009
    spent: HashTrieMap[str, tuple[date, int]] = HashTrieMap()  # noqa: RUF009

    def is_decided(self, generation: str) -> bool:
        """Whether the generation was debited or denied."""
        return generation in self.holds or generation in self.ended

    def spendable(self, at: datetime) -> int:
        """Credits that a debit could take at that time: available, of grants that have not expired."""
        funded = [self.grants[number] for number in self.funded]
        return sum(grant.available for grant in funded if is_usable(grant, at))

    def allocate(self, amount: int, at: datetime | None) -> GrantShares:
        """The grants that pay `amount`; less in total if they have less (see `burn_order.allocate`)."""
        return allocate({number: self.grants[number] for number in self.funded}, amount, at)

    def day(self, at: datetime) -> date:
        """The day (UTC) for whose limits a debit counts at that time."""
        # Never a day before the last debit's: the clocks of replicas differ.
        today = at.astimezone(UTC).date()
        last = self.spent.get(ACCOUNT_SCOPE)
        return today if last is None else max(today, last[0])

    def used_today(self, scope: str, at: datetime) -> int:
        """Credits debited under a scope on the day of `at`."""
        return self.used_on(self.day(at), scope)

    def used_on(self, day: date, scope: str) -> int:
        """Credits debited under a scope on that day; 0 unless it is the scope's last day with a debit."""
        last, amount = self.spent.get(scope) or (day, 0)
        return amount if last == day else 0


def scopes(api_key: str | None) -> tuple[str, ...]:
    """The scopes whose limits bound a debit."""
    return (ACCOUNT_SCOPE, api_key) if api_key else (ACCOUNT_SCOPE,)


def evolve(account: Account, event: Event) -> Account:
    """The account after an entry of its ledger."""
    if not isinstance(event, LedgerEvent):
        return account
    account = _apply(account, event)
    return replace(account, entry=event.entry, available=event.balances.available, held=event.balances.held)


def _apply(account: Account, event: LedgerEvent) -> Account:
    match event:
        case CreditsGranted():
            return _granted(account, event)
        case CreditsDebited():
            return _debited(account, event)
        case CreditsDenied():
            return replace(account, ended=account.ended.insert(event.generation))
        case CreditsSettled():
            return _settled(account, event)
        case CreditsRefunded():
            hold = account.holds[event.generation]
            account = _returned(_released(account, event.generation), hold.shares, event.usable_until)
            return _released_from_limits(account, hold, hold.amount)
        case CreditsExpired():
            shares = ((event.grant, event.amount),)
            return _corrigible(_deducted(account, shares), event.entry, Movement("expired", shares))
        case CreditsAdjusted():
            return _adjusted(account, event)
        case AccountClosed() | AccountReopened():
            return replace(account, is_closed=isinstance(event, AccountClosed), status=_reference(event))
        case SpendLimitsSet():
            limits = Limits(event.per_day, event.per_generation, _reference(event))
            return replace(account, limits=account.limits.insert(event.api_key or ACCOUNT_SCOPE, limits))
        case _:
            return account


def _reference(event: LedgerEvent) -> EntryReference:
    return EntryReference(event.entry, event.decided_at)


def _granted(account: Account, event: CreditsGranted) -> Account:
    until = in_utc(event.expires_at)
    grant = GrantState(event.amount, event.kind, until, until, event.amount)
    return replace(
        account,
        grants=account.grants.insert(event.entry, grant),
        funded=account.funded.insert(event.entry),
        references=account.references.insert(event.reference, _reference(event)),
    )


def _debited(account: Account, event: CreditsDebited) -> Account:
    # Entries from before 0.2 do not name their grants: they were debited in burn order, before expiry existed.
    shares = shares_of_entry(event) or account.allocate(event.amount, None)
    debited_scopes = scopes(event.api_key)
    day = None if event.decided_at is None else account.day(event.decided_at)
    spent = account.spent
    if day is not None:
        for scope in debited_scopes:
            spent = spent.insert(scope, (day, account.used_on(day, scope) + event.amount))
    hold = Hold(shares, debited_scopes, day, event.price.by_seconds)
    holds = account.holds.insert(event.generation, hold)
    return replace(_deducted(account, shares), holds=holds, spent=spent)


def _settled(account: Account, event: CreditsSettled) -> Account:
    hold = account.holds[event.generation]
    released = last_allocated(hold.shares, event.released or 0)
    movement = Movement("spent", subtract(hold.shares, released))
    account = _corrigible(_released(account, event.generation), event.entry, movement)
    if not released:
        return account
    account = _returned(account, released, event.usable_until)
    return _released_from_limits(account, hold, total(released))


def _adjusted(account: Account, event: CreditsAdjusted) -> Account:
    shares = shares_of_entry(event)
    account = replace(
        account,
        references=account.references.insert(event.reference, _reference(event)),
        adjustments=account.adjustments.insert(event.entry, (event.corrects, event.amount)),
    )
    movement = account.corrigible.get(event.corrects)
    if movement is None:
        return _deducted(account, shares)
    left = replace(movement, shares=subtract(movement.shares, shares))
    return _returned(_corrigible(account, event.corrects, left), shares, event.usable_until)


def _corrigible(account: Account, entry: int, movement: Movement) -> Account:
    return replace(account, corrigible=account.corrigible.insert(entry, movement))


def _released(account: Account, generation: str) -> Account:
    return replace(account, holds=account.holds.remove(generation), ended=account.ended.insert(generation))


def _deducted(account: Account, shares: GrantShares) -> Account:
    grants, funded = account.grants, account.funded
    for number, amount in shares:
        left = replace(grants[number], available=grants[number].available - amount)
        grants = grants.insert(number, left)
        if left.available == 0:
            funded = funded.remove(number)
    return replace(account, grants=grants, funded=funded)


def _returned(account: Account, shares: GrantShares, usable_until: datetime | None) -> Account:
    grants, funded = account.grants, account.funded
    for number, amount in shares:
        grant = grants[number]
        until = latest_end(grant.usable_until, usable_until)
        grants = grants.insert(number, replace(grant, available=grant.available + amount, usable_until=until))
        funded = funded.insert(number)
    return replace(account, grants=grants, funded=funded)


def _released_from_limits(account: Account, hold: Hold, amount: int) -> Account:
    """Subtract what came back of a hold from what was spent on the day for which its debit counted."""
    spent = account.spent
    for scope in hold.scopes if hold.day is not None else ():
        day, used = spent[scope]
        if day == hold.day:
            spent = spent.insert(scope, (day, used - amount))
    return replace(account, spent=spent)
