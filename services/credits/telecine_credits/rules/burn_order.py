"""Burn order: which grants pay for a debit, and arithmetic on their shares. Pure; used by rules and projections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

from telecine_contracts.credits import GrantKind, LedgerEvent

__all__ = [
    "GrantShares",
    "SpendableGrant",
    "allocate",
    "in_utc",
    "is_usable",
    "last_allocated",
    "latest_end",
    "shares_of_entry",
    "subtract",
    "total",
]

GrantShares = tuple[tuple[int, int], ...]
"""Credits by grant: (entry number of the grant, credits), in the order in which they were allocated."""
KIND_ORDER: Mapping[str, int] = {GrantKind.PROMOTIONAL: 0, GrantKind.PLAN: 1, GrantKind.PAID: 2}
"""Of grants that expire together, the kind with the lower number is spent first."""
NEVER = datetime.max.replace(tzinfo=UTC)


class SpendableGrant(Protocol):
    """The attributes of a grant that decide whether and when it pays."""

    @property
    def kind(self) -> str: ...
    @property
    def usable_until(self) -> datetime | None: ...
    @property
    def available(self) -> int: ...


def in_utc(at: datetime | None) -> datetime | None:
    """The time with a zone: expiry times written before 0.2 may have none and are meant in UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def is_usable(grant: SpendableGrant, at: datetime) -> bool:
    """Whether the grant's credits may be spent at that time."""
    return grant.usable_until is None or grant.usable_until > at


def allocate(grants: Mapping[int, SpendableGrant], amount: int, at: datetime | None) -> GrantShares:
    """The shares of `amount` that each grant pays: the first to expire first, then by kind, then the oldest.

    Less than `amount` in total if the grants usable at `at` have less. With `at` None every grant is usable.
    """
    usable = [number for number, grant in grants.items() if at is None or is_usable(grant, at)]
    shares: list[tuple[int, int]] = []
    for number in sorted(usable, key=lambda number: burn_rank(number, grants[number])):
        if amount == 0:
            break
        share = min(amount, grants[number].available)
        shares.append((number, share))
        amount -= share
    return tuple(shares)


def burn_rank(number: int, grant: SpendableGrant) -> tuple[bool, datetime, int, int]:
    """Sort key of a grant: the lowest is spent first."""
    return grant.usable_until is None, grant.usable_until or NEVER, KIND_ORDER[grant.kind], number


def total(shares: GrantShares) -> int:
    """The sum of the shares, in credits."""
    return sum(amount for _, amount in shares)


def last_allocated(shares: GrantShares, amount: int) -> GrantShares:
    """The `amount` credits of `shares` that were allocated last, in the order of allocation."""
    found: list[tuple[int, int]] = []
    for number, allocated in reversed(shares):
        share = min(amount, allocated)
        if share:
            found.append((number, share))
        amount -= share
    return tuple(reversed(found))


def subtract(shares: GrantShares, other: GrantShares) -> GrantShares:
    """`shares` less `other`, without grants of which nothing is left."""
    less = dict(other)
    return tuple((number, left) for number, amount in shares if (left := amount - less.get(number, 0)))


def latest_end(own: datetime | None, returned: datetime | None) -> datetime | None:
    """Until when a grant is usable after credits returned to it that are usable until `returned`.

    A grant that never expires (None) stays so.
    """
    return max(own, returned) if own is not None and returned is not None else own


def shares_of_entry(event: LedgerEvent) -> GrantShares:
    """The credits that an entry moves, by grant; empty if its postings do not name grants."""
    return tuple(
        (posting.grant, posting.amount)
        for posting in event.postings
        if posting.grant is not None and posting.amount > 0
    )
