"""Projection of the ledger into the tables of credits: accounts, their grants, and holds."""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from sqlmodel import SQLModel

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.rows import RowKey, Rows, new_row
from telecine_contracts.credits import (
    AccountClosed,
    AccountReopened,
    CreditsAdjusted,
    CreditsDebited,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
    LedgerEvent,
)
from telecine_contracts.streams import LEDGER
from telecine_credits.rules.burn_order import GrantShares, allocate, in_utc, latest_end, shares_of_entry

from .tables import METADATA, VERSION, AccountRow, GrantRow, HoldRow

__all__ = ["METADATA", "PROJECTIONS", "VERSION"]

Row = TypeVar("Row", bound=SQLModel)
COLUMN_OF_SIDE = {
    "available": "available",
    "held": "held",
    "spent": "spent",
    "expired": "expired",
    "issued": "taken_back",
}
"""Column of a grant that counts its credits on a side of the ledger."""


def keys(recorded: RecordedEvent) -> Iterator[RowKey]:
    """The account, the grants that the entry names, and the hold that it ends."""
    event = recorded.event
    assert isinstance(event, LedgerEvent)
    yield AccountRow, event.account
    if isinstance(event, CreditsSettled | CreditsRefunded):
        yield HoldRow, (event.account, event.generation)
    if not isinstance(event, CreditsGranted):
        for number, _ in shares_of_entry(event):
            yield GrantRow, (event.account, number)


def apply(rows: Rows, recorded: RecordedEvent) -> None:
    """Update the account, the grants whose credits the entry moves, and the hold that it begins or ends."""
    event = recorded.event
    assert isinstance(event, LedgerEvent)
    _save_account(rows, event, recorded.sequence)
    decided_at = event.decided_at or recorded.envelope.time
    match event:
        case CreditsGranted():
            rows.add(GrantRow, _granted(event, decided_at))
        case CreditsDebited():
            shares = _move(rows, event)
            rows.add(HoldRow, _hold(event, shares, decided_at))
        case CreditsSettled() | CreditsRefunded():
            _move(rows, event)
            rows.delete(HoldRow, _one(rows, HoldRow, (event.account, event.generation)))
        case _ if event.postings:
            _move(rows, event)
        case _:
            pass


def _save_account(rows: Rows, event: LedgerEvent, sequence: int) -> None:
    row = rows.get(AccountRow, event.account)
    if row is None:
        row = rows.add(AccountRow, new_row(AccountRow, account=event.account))
    row.entry, row.sequence = event.entry, sequence
    row.available, row.held = event.balances.available, event.balances.held
    if isinstance(event, AccountClosed | AccountReopened):
        row.is_closed = isinstance(event, AccountClosed)


def _granted(event: CreditsGranted, decided_at: datetime) -> GrantRow:
    return new_row(
        GrantRow,
        account=event.account,
        entry=event.entry,
        reference=event.reference,
        kind=event.kind.value,
        amount=event.amount,
        available=event.amount,
        held=0,
        spent=0,
        expired=0,
        taken_back=0,
        granted_at=decided_at,
        expires_at=in_utc(event.expires_at),
        usable_until=in_utc(event.expires_at),
    )


def _hold(event: CreditsDebited, shares: GrantShares, decided_at: datetime) -> HoldRow:
    return new_row(
        HoldRow,
        account=event.account,
        generation=event.generation,
        amount=event.amount,
        parts=[list(share) for share in shares],
        since=decided_at,
    )


def _move(rows: Rows, event: LedgerEvent) -> GrantShares:
    """Move credits of each grant between columns as the postings say; returns what was moved."""
    shares = _shares(rows, event)
    until = (
        event.usable_until if isinstance(event, CreditsRefunded | CreditsAdjusted | CreditsSettled) else None
    )
    for number, side, amount in _changes(event, shares):
        grant = _one(rows, GrantRow, (event.account, number))
        setattr(grant, side, getattr(grant, side) + amount)
        if side == "available" and amount > 0:
            grant.usable_until = latest_end(grant.usable_until, until)
    return shares


def _changes(event: LedgerEvent, shares: GrantShares) -> Iterator[tuple[int, str, int]]:
    """By grant and column, the credits that are added; of postings that name no grant, by the shares."""
    for leg in event.postings:
        side = COLUMN_OF_SIDE[leg.account.rpartition(":")[2]]
        if leg.grant is not None:
            yield leg.grant, side, leg.amount
            continue
        for number, amount in shares:
            yield number, side, amount if leg.amount > 0 else -amount


def _shares(rows: Rows, event: LedgerEvent) -> GrantShares:
    """What the entry moves, by grant."""
    # Entries from before 0.2 do not name their grants: they were debited in burn order, before expiry existed.
    match event:
        case _ if named := shares_of_entry(event):
            return named
        case CreditsDebited():
            return allocate(_funded(rows, event.account), event.amount, None)
        case CreditsSettled() | CreditsRefunded():
            hold = _one(rows, HoldRow, (event.account, event.generation))
            return tuple((number, amount) for number, amount in hold.parts)
        case _:
            return ()


def _one(rows: Rows, model: type[Row], key: tuple[str, int] | tuple[str, str]) -> Row:
    row = rows.get(model, key)
    if row is None:
        raise LookupError(f"no {model.__name__} {key} exists")
    return row


def _funded(rows: Rows, account: str) -> dict[int, GrantRow]:
    return {grant.entry: grant for grant in rows.find(GrantRow, account=account) if grant.available > 0}


PROJECTIONS = (Projection("ledger", LEDGER, apply, keys, interval=1),)
