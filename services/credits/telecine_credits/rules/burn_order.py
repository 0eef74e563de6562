"""Which grants pay, and what moves between their credits. Pure; the rules and the tables read it alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from telecine_contracts.credits import GrantKind, LedgerEvent

__all__ = [
    "Parts",
    "Payer",
    "is_usable",
    "last_taken",
    "later",
    "moved_by_grant",
    "taking",
    "total",
    "without",
]

Parts = tuple[tuple[int, int], ...]
"""Credits by grant: (number of the grant's entry, credits), in the order in which they were taken."""
RANK: Mapping[str, int] = {GrantKind.PROMOTIONAL: 0, GrantKind.PLAN: 1, GrantKind.PAID: 2}
"""Of grants that expire together, the lower rank is spent first."""
NEVER = datetime.max.replace(tzinfo=UTC)


class Payer(Protocol):
    """What must be known of a grant to see whether it pays."""

    @property
    def kind(self) -> str: ...
    @property
    def usable_until(self) -> datetime | None: ...
    @property
    def available(self) -> int: ...


def in_utc(at: datetime | None) -> datetime | None:
    """The time with its zone: expiries from before 0.2 may have none, and were meant in UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def is_usable(grant: Payer, at: datetime) -> bool:
    """Whether its credits may be spent at that time."""
    return grant.usable_until is None or grant.usable_until > at


def taking(grants: Mapping[int, Payer], amount: int, at: datetime | None) -> Parts:
    """Which grants pay `amount`: what expires first, promotional before plan before paid, then the oldest.

    Takes less than `amount` when the grants that are usable `at` that time have less (None: every grant is).
    """
    usable = [number for number, grant in grants.items() if at is None or is_usable(grant, at)]

    def order(number: int) -> tuple[bool, datetime, int, int]:
        grant = grants[number]
        until = grant.usable_until
        return until is None, until or NEVER, RANK[grant.kind], number

    parts: list[tuple[int, int]] = []
    for number in sorted(usable, key=order):
        if amount == 0:
            break
        taken = min(amount, grants[number].available)
        parts.append((number, taken))
        amount -= taken
    return tuple(parts)


def total(parts: Parts) -> int:
    """Credits in all."""
    return sum(amount for _, amount in parts)


def last_taken(parts: Parts, amount: int) -> Parts:
    """The part of `parts` that was taken last, `amount` credits of it."""
    found: list[tuple[int, int]] = []
    for number, taken in reversed(parts):
        given = min(amount, taken)
        if given:
            found.append((number, given))
        amount -= given
    return tuple(reversed(found))


def without(parts: Parts, gone: Parts) -> Parts:
    """`parts` less `gone`."""
    less = dict(gone)
    return tuple((number, left) for number, amount in parts if (left := amount - less.get(number, 0)))


def later(own: datetime | None, other: datetime | None) -> datetime | None:
    """Until when a grant is usable that got credits back until `other`; one that never expires stays so."""
    return max(own, other) if own is not None and other is not None else own


def moved_by_grant(event: LedgerEvent) -> Parts:
    """What an entry puts onto accounts, by grant; empty if its postings do not name grants."""
    return tuple(
        (leg.grant, leg.amount) for leg in event.postings if leg.grant is not None and leg.amount > 0
    )
