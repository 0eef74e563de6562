"""An account's rows after one more ledger entry: balance, grants and spend limits."""

from collections.abc import Iterator
from datetime import UTC, datetime

from telecine_chassis.projections.rows import RowKey, Rows, new_row
from telecine_contracts.credits import (
    AccountClosed,
    AccountReopened,
    CreditsAdjusted,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    LedgerEvent,
    MessageSkipped,
    SpendLimitsSet,
)

from .entries import replace_nul
from .tables import Balance, GrantRow, SpendLimit

__all__ = ["account_keys", "apply_entry"]

_RETURNING = CreditsRefunded | CreditsAdjusted | CreditsSettled
_SIDES = ("available", "held", "spent", "expired")


def account_keys(event: LedgerEvent) -> Iterator[RowKey]:
    """The rows of the account that `apply_entry` gets."""
    yield Balance, event.account
    if isinstance(event, SpendLimitsSet):
        yield SpendLimit, (event.account, event.api_key or "")
    if not isinstance(event, CreditsGranted):
        for leg in event.postings:
            if leg.grant is not None:
                yield GrantRow, (event.account, leg.grant)


def apply_entry(rows: Rows, event: LedgerEvent, decided_at: datetime) -> Balance:
    """Apply `event` to the account's balance, grants and limits; returns the balance."""
    balance = rows.get(Balance, event.account)
    if balance is None:
        balance = rows.add(Balance, new_row(Balance, account=event.account, at=decided_at))
    balance.entry, balance.at = event.entry, max(balance.at, decided_at)
    balance.available, balance.held = event.balances.available, event.balances.held
    match event:
        case CreditsGranted():
            rows.add(GrantRow, _granted(event, decided_at))
        case AccountClosed() | AccountReopened():
            balance.closed = isinstance(event, AccountClosed)
        case SpendLimitsSet():
            _limit(rows, event)
        case MessageSkipped():
            pass
        case _ if not _move(rows, event):
            balance.attributed = False
    return balance


def _granted(event: CreditsGranted, decided_at: datetime) -> GrantRow:
    expires_at = event.expires_at
    if expires_at is not None and expires_at.tzinfo is None:
        # From before 0.2; it was meant in UTC.
        expires_at = expires_at.replace(tzinfo=UTC)
    return new_row(
        GrantRow,
        account=event.account,
        number=event.entry,
        amount=event.amount,
        kind=event.kind.value,
        reference=replace_nul(event.reference),
        reason=replace_nul(event.reason),
        granted_at=decided_at,
        expires_at=expires_at,
        usable_until=expires_at,
        available=event.amount,
        held=0,
        spent=0,
        expired=0,
        taken_back=0,
    )


def _limit(rows: Rows, event: SpendLimitsSet) -> None:
    api_key = event.api_key or ""
    limit = rows.get(SpendLimit, (event.account, api_key))
    if limit is None:
        limit = rows.add(SpendLimit, new_row(SpendLimit, account=event.account, api_key=api_key))
    limit.per_day, limit.per_generation = event.per_day, event.per_generation


def _move(rows: Rows, event: LedgerEvent) -> bool:
    """Move credits of grants between their columns; False if the entry does not name the grants."""
    for leg in event.postings:
        grant = rows.get(GrantRow, (event.account, leg.grant)) if leg.grant is not None else None
        if grant is None:
            return False
        side = leg.account.removeprefix(f"{event.account}:")
        if side in _SIDES:
            setattr(grant, side, getattr(grant, side) + leg.amount)
        else:
            grant.taken_back += leg.amount
        if side == "available" and leg.amount > 0 and isinstance(event, _RETURNING):
            grant.usable_until = _later(grant.usable_until, event.usable_until)
    return True


def _later(own: datetime | None, other: datetime | None) -> datetime | None:
    """The later of two expiry times; None, for a grant that never expires, stays."""
    return max(own, other) if own is not None and other is not None else own
