"""Entries of an account as they should be: numbers and balances are counted here, not by the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

from telecine_contracts import Event
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
    GrantKind,
    LedgerEvent,
    LimitReached,
    Posting,
    SpendLimitsSet,
)
from telecine_contracts.pricing import Price
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.commands import TimedCommand
from telecine_credits.rules.decider import decide

__all__ = [
    "AVAILABLE",
    "DAY",
    "HELD",
    "HOUR",
    "NOW",
    "OWNER",
    "Entries",
    "decide_on",
    "fold",
    "length_prices",
    "price",
]

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
OWNER = "ann"
AVAILABLE, HELD = f"{OWNER}:available", f"{OWNER}:held"
Parts = Mapping[int, int]
"""Credits by the number of the grant's entry, in the order in which they are taken."""


def length_prices(credits: list[int]) -> Price:
    """A price where the model chooses the length: from four seconds on, the credits of each."""
    by_seconds = tuple(enumerate(credits, 4))
    return price(max(credits)).model_copy(update={"by_seconds": by_seconds})


def price(credits: int) -> Price:
    return Price(credits=credits, table="2026-11", resolution="720p", duration=5)


@dataclass(frozen=True)
class Entries:
    """The entries of the account `ann`. Every method gives the same with one more; `at`: when it is decided."""

    all: tuple[LedgerEvent, ...] = ()

    @property
    def last(self) -> LedgerEvent:
        return self.all[-1]

    def granted(
        self,
        amount: int,
        *,
        kind: GrantKind = GrantKind.PAID,
        reference: str | None = None,
        reason: str = "",
        expires_at: datetime | None = None,
        at: datetime = NOW,
    ) -> Entries:
        number = len(self.all) + 1
        fields: dict[str, Any] = {"kind": kind, "reference": reference or f"r{number}", "reason": reason}
        moved = {number: amount}, "issued", AVAILABLE
        return self._and(CreditsGranted, at, moved, amount=amount, expires_at=expires_at, **fields)

    def debited(
        self, generation: str, parts: Parts, *, at: datetime = NOW, api_key: str | None = None
    ) -> Entries:
        amount = sum(parts.values())
        moved = parts, AVAILABLE, HELD
        fields: dict[str, Any] = {"amount": amount, "price": price(amount), "api_key": api_key}
        return self._and(CreditsDebited, at, moved, generation=generation, **fields)

    def denied(
        self,
        generation: str,
        reason: DenialReason = DenialReason.INSUFFICIENT_CREDITS,
        *,
        needed: int,
        available: int,
        limit: LimitReached | None = None,
        at: datetime = NOW,
    ) -> Entries:
        fields: dict[str, Any] = {"reason": reason, "needed": needed, "available": available, "limit": limit}
        return self._and(CreditsDenied, at, generation=generation, **fields)

    def settled(self, generation: str, parts: Parts, *, at: datetime = NOW) -> Entries:
        moved = parts, HELD, "spent"
        return self._and(CreditsSettled, at, moved, generation=generation, amount=sum(parts.values()))

    def refunded(
        self,
        generation: str,
        parts: Parts,
        *,
        usable_until: datetime | None = None,
        reason: str = "deadline",
        at: datetime = NOW,
    ) -> Entries:
        fields = {"amount": sum(parts.values()), "reason": reason, "usable_until": usable_until}
        return self._and(CreditsRefunded, at, (parts, HELD, AVAILABLE), generation=generation, **fields)

    def expired(self, grant: int, amount: int, *, at: datetime) -> Entries:
        return self._and(
            CreditsExpired, at, ({grant: amount}, AVAILABLE, "expired"), grant=grant, amount=amount
        )

    def adjusted(
        self,
        corrects: int,
        parts: Parts,
        source: str,
        target: str,
        *,
        reference: str = "ticket",
        usable_until: datetime | None = None,
        at: datetime = NOW,
    ) -> Entries:
        fields = {"amount": sum(parts.values()), "reference": reference, "reason": ""}
        moved = parts, source, target
        return self._and(CreditsAdjusted, at, moved, corrects=corrects, usable_until=usable_until, **fields)

    def closed(self, reason: str = "", *, at: datetime = NOW) -> Entries:
        return self._and(AccountClosed, at, reason=reason)

    def reopened(self, reason: str = "", *, at: datetime = NOW) -> Entries:
        return self._and(AccountReopened, at, reason=reason)

    def limited(
        self,
        *,
        per_day: int | None = None,
        per_generation: int | None = None,
        api_key: str | None = None,
        at: datetime = NOW,
    ) -> Entries:
        limits: dict[str, Any] = {"per_day": per_day, "per_generation": per_generation}
        return self._and(SpendLimitsSet, at, api_key=api_key, **limits)

    def as_before_grants_were_named(self) -> Entries:
        """The same entries as 0.1 wrote them: two legs that name no grant, and no time of the decision."""
        return Entries(tuple(map(_in_format_0_1, self.all)))

    def _and(
        self,
        event: type[LedgerEvent],
        at: datetime,
        moved: tuple[Parts, str, str] = ({}, "", ""),
        **fields: Any,
    ) -> Entries:
        parts, source, target = moved
        postings = tuple(
            Posting(account=side, amount=signed, grant=grant)
            for grant, amount in parts.items()
            for side, signed in ((source, -amount), (target, amount))
        )
        entry = event(
            account=OWNER,
            entry=len(self.all) + 1,
            postings=postings,
            balances=self._balances(postings),
            decided_at=at,
            **fields,
        )
        return Entries((*self.all, entry))

    def _balances(self, postings: tuple[Posting, ...]) -> Balances:
        before = self.all[-1].balances if self.all else Balances(available=0, held=0)
        moved = {
            side: sum(leg.amount for leg in postings if leg.account == side) for side in (AVAILABLE, HELD)
        }
        return Balances(available=before.available + moved[AVAILABLE], held=before.held + moved[HELD])


def _in_format_0_1(entry: LedgerEvent) -> LedgerEvent:
    sides: dict[str, int] = {}
    for leg in entry.postings:
        sides[leg.account] = sides.get(leg.account, 0) + leg.amount
    postings = tuple(Posting(account=side, amount=amount) for side, amount in sides.items())
    return entry.model_copy(update={"postings": postings, "decided_at": None})


def fold(entries: Entries) -> Account:
    return reduce(evolve, entries.all, Account())


def decide_on(given: Entries, command: TimedCommand) -> Event | None:
    """What the command leads to on an account with these entries."""
    return decide(command, fold(given))
