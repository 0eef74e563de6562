"""One account, folded from its ledger: which credits are whose, what is held, what has been spent today. Pure."""

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

from .burn_order import Parts, in_utc, is_usable, later, moved_by_grant, taking, total, without

WHOLE_ACCOUNT = ""
"""The scope of limits that bound the account; those of an API key have the key's id for scope."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The entry in which something was decided, and when; entries from before 0.2 do not say when."""

    entry: int
    at: datetime | None


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
    """Most credits a day (of UTC) and for one generation; None does not bound. `decided`: what set them."""

    per_day: int | None
    per_generation: int | None
    decided: Decided | None = None


UNLIMITED = Limits(None, None)


@dataclass(frozen=True, slots=True)
class Account:
    """An account after its entry number `entry`.

    `status`: what closed or reopened it last. `funded`: grants with credits available. `ended`: generations that
    were denied or have ended; those in `holds` run. `references`: what each reference led to. `adjustments`:
    (corrects, amount) by entry. `corrigible`: settlements and expiries by entry. `spent`: what was debited under a
    scope on its last day, refunds taken off.
    """

    entry: int = 0
    available: int = 0
    held: int = 0
    is_closed: bool = False
    status: Decided | None = None
    grants: HashTrieMap[int, GrantState] = HashTrieMap()  # noqa: RUF009 - immutable, as all below
    funded: HashTrieSet[int] = HashTrieSet()  # noqa: RUF009
    holds: HashTrieMap[str, Hold] = HashTrieMap()  # noqa: RUF009
    ended: HashTrieSet[str] = HashTrieSet()  # noqa: RUF009
    references: HashTrieMap[str, Decided] = HashTrieMap()  # noqa: RUF009
    adjustments: HashTrieMap[int, tuple[int, int]] = HashTrieMap()  # noqa: RUF009
    corrigible: HashTrieMap[int, Movement] = HashTrieMap()  # noqa: RUF009
    limits: HashTrieMap[str, Limits] = HashTrieMap()  # noqa: RUF009
    spent: HashTrieMap[str, tuple[date, int]] = HashTrieMap()  # noqa: RUF009

    def is_decided(self, generation: str) -> bool:
        """Whether the generation was debited or denied."""
        return generation in self.holds or generation in self.ended

    def spendable(self, at: datetime) -> int:
        """Credits that a debit could take at that time: available, and not of a grant whose time is over."""
        funded = [self.grants[number] for number in self.funded]
        return sum(grant.available for grant in funded if is_usable(grant, at))

    def paying(self, amount: int, at: datetime | None) -> Parts:
        """Which grants pay `amount`; less than that if there is less (see `grants.taking`)."""
        return taking({number: self.grants[number] for number in self.funded}, amount, at)

    def day(self, at: datetime) -> date:
        """The day of UTC that a debit counts for at that time: never one before the last debit's."""
        today = at.astimezone(UTC).date()
        last = self.spent.get(WHOLE_ACCOUNT)
        return today if last is None else max(today, last[0])

    def used(self, scope: str, at: datetime) -> int:
        """Credits debited under a scope on the day of `at`."""
        return self.used_on(self.day(at), scope)

    def used_on(self, day: date, scope: str) -> int:
        """Credits debited under a scope on its last day, if it is this one."""
        last, amount = self.spent.get(scope) or (day, 0)
        return amount if last == day else 0


def scopes(api_key: str | None) -> tuple[str, ...]:
    """Under which limits a debit falls."""
    return (WHOLE_ACCOUNT, api_key) if api_key else (WHOLE_ACCOUNT,)


def evolve(account: Account, event: Event) -> Account:
    """The account after an entry of its ledger."""
    if not isinstance(event, LedgerEvent):
        return account
    account = _after(account, event)
    return replace(account, entry=event.entry, available=event.balances.available, held=event.balances.held)


def _after(account: Account, event: LedgerEvent) -> Account:
    match event:
        case CreditsGranted():
            return _granted(account, event)
        case CreditsDebited():
            return _debited(account, event)
        case CreditsDenied():
            return replace(account, ended=account.ended.insert(event.generation))
        case CreditsSettled():
            parts = account.holds[event.generation].parts
            return _corrigible(_released(account, event.generation), event.entry, Movement("spent", parts))
        case CreditsRefunded():
            hold = account.holds[event.generation]
            account = _given_back(_released(account, event.generation), hold.parts, event.usable_until)
            return _unspent(account, hold)
        case CreditsExpired():
            parts = ((event.grant, event.amount),)
            return _corrigible(_taken(account, parts), event.entry, Movement("expired", parts))
        case CreditsAdjusted():
            return _adjusted(account, event)
        case AccountClosed() | AccountReopened():
            return replace(account, is_closed=isinstance(event, AccountClosed), status=_decided(event))
        case SpendLimitsSet():
            limits = Limits(event.per_day, event.per_generation, _decided(event))
            return replace(account, limits=account.limits.insert(event.api_key or WHOLE_ACCOUNT, limits))
        case _:
            return account


def _decided(event: LedgerEvent) -> Decided:
    return Decided(event.entry, event.decided_at)


def _granted(account: Account, event: CreditsGranted) -> Account:
    until = in_utc(event.expires_at)
    grant = GrantState(event.amount, event.kind, until, until, event.amount)
    return replace(
        account,
        grants=account.grants.insert(event.entry, grant),
        funded=account.funded.insert(event.entry),
        references=account.references.insert(event.reference, _decided(event)),
    )


def _debited(account: Account, event: CreditsDebited) -> Account:
    # Entries from before 0.2 do not name their grants; the rule that came later tells which they were.
    parts = moved_by_grant(event) or account.paying(event.amount, None)
    falls_under = scopes(event.api_key)
    day = None if event.decided_at is None else account.day(event.decided_at)
    spent = account.spent
    if day is not None:
        for scope in falls_under:
            spent = spent.insert(scope, (day, account.used_on(day, scope) + event.amount))
    holds = account.holds.insert(event.generation, Hold(parts, falls_under, day))
    return replace(_taken(account, parts), holds=holds, spent=spent)


def _adjusted(account: Account, event: CreditsAdjusted) -> Account:
    parts = moved_by_grant(event)
    account = replace(
        account,
        references=account.references.insert(event.reference, _decided(event)),
        adjustments=account.adjustments.insert(event.entry, (event.corrects, event.amount)),
    )
    movement = account.corrigible.get(event.corrects)
    if movement is None:
        return _taken(account, parts)
    left = replace(movement, parts=without(movement.parts, parts))
    return _given_back(_corrigible(account, event.corrects, left), parts, event.usable_until)


def _corrigible(account: Account, entry: int, movement: Movement) -> Account:
    return replace(account, corrigible=account.corrigible.insert(entry, movement))


def _released(account: Account, generation: str) -> Account:
    return replace(account, holds=account.holds.remove(generation), ended=account.ended.insert(generation))


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
    """A refund makes room under the limits of the day that its debit counted for."""
    spent = account.spent
    for scope in hold.scopes if hold.day is not None else ():
        day, amount = spent[scope]
        if day == hold.day:
            spent = spent.insert(scope, (day, amount - hold.amount))
    return replace(account, spent=spent)
