"""How entries of the ledger become the tables of credits: accounts, their grants, and what is held."""

from datetime import datetime
from typing import Any, TypeVar

from sqlmodel import Session, SQLModel, col, select

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.session import add_row, delete_row, find_row
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
from telecine_credits.rules.burn_order import Parts, in_utc, later, moved_by_grant, taking

from .tables import METADATA, VERSION, Account, Hold, LedgerGrant

__all__ = ["METADATA", "PROJECTIONS", "VERSION"]

Row = TypeVar("Row", bound=SQLModel)
COLUMNS = {
    "available": "available",
    "held": "held",
    "spent": "spent",
    "expired": "expired",
    "issued": "taken_back",
}
"""Where a grant counts what is on a side of the ledger."""


def apply(session: Session, recorded: RecordedEvent) -> None:
    """The account after the entry, its grants with what the entry moved, and the hold that it began or ended."""
    event = recorded.event
    assert isinstance(event, LedgerEvent)
    _keep_account(session, event, recorded.sequence)
    decided_at = event.decided_at or recorded.envelope.time
    match event:
        case CreditsGranted():
            add_row(session, _granted(event, decided_at))
        case CreditsDebited():
            parts = _move(session, event)
            add_row(session, _hold(event, parts, decided_at))
        case CreditsSettled() | CreditsRefunded():
            _move(session, event)
            delete_row(session, _one(session, Hold, (event.account, event.generation)))
        case _ if event.postings:
            _move(session, event)
        case _:
            pass


def _keep_account(session: Session, event: LedgerEvent, sequence: int) -> None:
    after: dict[str, Any] = {
        "entry": event.entry,
        "available": event.balances.available,
        "held": event.balances.held,
        "sequence": sequence,
    }
    if isinstance(event, AccountClosed | AccountReopened):
        after["is_closed"] = isinstance(event, AccountClosed)
    row = find_row(session, Account, event.account)
    if row is None:
        add_row(session, Account(account=event.account, **after))
    else:
        row.sqlmodel_update(after)


def _granted(event: CreditsGranted, decided_at: datetime) -> LedgerGrant:
    return LedgerGrant(
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


def _hold(event: CreditsDebited, parts: Parts, decided_at: datetime) -> Hold:
    return Hold(
        account=event.account,
        generation=event.generation,
        amount=event.amount,
        parts=[list(part) for part in parts],
        since=decided_at,
    )


def _move(session: Session, event: LedgerEvent) -> Parts:
    """Move credits of each grant from one side of the ledger to the other, as the postings say; what was moved."""
    parts = _parts(session, event)
    source, target = (
        next(COLUMNS[leg.account.rpartition(":")[2]] for leg in event.postings if leg.amount * sign > 0)
        for sign in (-1, 1)
    )
    until = event.usable_until if isinstance(event, CreditsRefunded | CreditsAdjusted) else None
    for number, amount in parts:
        grant = _one(session, LedgerGrant, (event.account, number))
        setattr(grant, source, getattr(grant, source) - amount)
        setattr(grant, target, getattr(grant, target) + amount)
        grant.usable_until = later(grant.usable_until, until)
    return parts


def _parts(session: Session, event: LedgerEvent) -> Parts:
    """Entries from before 0.2 do not name their grants; the rule that came later tells which they were."""
    match event:
        case _ if named := moved_by_grant(event):
            return named
        case CreditsDebited():
            return taking(_funded(session, event.account), event.amount, None)
        case CreditsSettled() | CreditsRefunded():
            hold = _one(session, Hold, (event.account, event.generation))
            return tuple((number, amount) for number, amount in hold.parts)
        case _:
            return ()


def _one(session: Session, model: type[Row], key: tuple[str, int] | tuple[str, str]) -> Row:
    row = find_row(session, model, key)
    if row is None:
        raise LookupError(f"no {model.__name__} {key} came before")
    return row


def _funded(session: Session, account: str) -> dict[int, LedgerGrant]:
    query = select(LedgerGrant).where(col(LedgerGrant.account) == account, col(LedgerGrant.available) > 0)
    return {grant.entry: grant for grant in session.exec(query)}


PROJECTIONS = (Projection("ledger", LEDGER, apply, linger=0.25),)
