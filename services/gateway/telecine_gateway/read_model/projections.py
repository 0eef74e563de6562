"""Projections from events to tables: generations, the ledger, and API keys."""

from datetime import datetime

from sqlmodel import Session, col, select

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.session import add_row, find_row
from telecine_contracts.access import ApiKeyCreated, ApiKeyRevoked
from telecine_contracts.credits import CreditsRefunded, CreditsSettled, LedgerEvent
from telecine_contracts.gateway import VideoEvent as AnyVideoEvent
from telecine_contracts.streams import ACCESS, LEDGER, VIDEO
from telecine_gateway.access.api_keys import DEFAULT_SCOPES

from .accounts import apply_entry
from .charges import apply_to_charge
from .entries import statement_line
from .generations import apply_event
from .tables import METADATA, VERSION, ApiKey, ChargeRow, GenerationRow, LedgerEntry, VideoEvent
from .timeline import public_data

__all__ = ["METADATA", "PROJECTIONS", "VERSION"]


def apply_video(session: Session, recorded: RecordedEvent) -> None:
    """The generation's row and its timeline."""
    event = recorded.event
    assert isinstance(event, AnyVideoEvent)
    row = find_row(session, GenerationRow, event.generation)
    changed = apply_event(row, recorded)
    if changed is not None:
        add_row(session, changed)
    session.add(
        VideoEvent(
            sequence=recorded.sequence,
            generation=event.generation,
            account=event.account,
            type=event.type,
            time=recorded.envelope.time,
            data=public_data(event),
        )
    )


def apply_ledger(session: Session, recorded: RecordedEvent) -> None:
    """The account's rows, the entry, and the charge of a generation."""
    event = recorded.event
    assert isinstance(event, LedgerEvent)
    balance = apply_entry(session, event, event.decided_at or recorded.envelope.time)
    session.add(_entry(event, recorded, balance.at))
    _apply_charge(session, event)


def _entry(event: LedgerEvent, recorded: RecordedEvent, at: datetime) -> LedgerEntry:
    line = statement_line(event, at)
    return LedgerEntry(
        sequence=recorded.sequence,
        account=event.account,
        entry=line.entry,
        type=event.type,
        action=line.action,
        time=recorded.envelope.time,
        at=at,
        generation=line.generation,
        amount=line.amount,
        held_amount=line.held_amount,
        available=line.available,
        held=line.held,
        reason=line.reason,
        reference=line.reference,
        data=line.data,
    )


def _apply_charge(session: Session, event: LedgerEvent) -> None:
    row = None
    # Only an end needs the charge before it: a debit or denial is always a generation's first entry.
    if isinstance(event, CreditsSettled | CreditsRefunded):
        row = find_row(session, ChargeRow, event.generation)
    charge = apply_to_charge(row.charge if row else None, event)
    if charge is None:
        return
    if row is None:
        row = ChargeRow.of(charge)
    row.state = charge.state
    add_row(session, row)


def apply_access(session: Session, recorded: RecordedEvent) -> None:
    """API keys and their accounts."""
    match recorded.event:
        case ApiKeyCreated() as event if session.get(ApiKey, event.key_sha256) is None:
            session.add(
                ApiKey(
                    sha256=event.key_sha256,
                    account=event.account,
                    key_id=event.key_id,
                    name=event.name,
                    scopes=list(DEFAULT_SCOPES if event.scopes is None else event.scopes),
                    created_at=recorded.envelope.time,
                )
            )
        case ApiKeyRevoked() as event:
            mine = col(ApiKey.account) == event.account, col(ApiKey.key_id) == event.key_id
            for key in session.exec(select(ApiKey).where(*mine)):
                key.revoked_at = key.revoked_at or recorded.envelope.time
                session.add(key)


PROJECTIONS = (
    Projection("generations", VIDEO, apply_video, linger=0.05),
    Projection("ledger", LEDGER, apply_ledger, linger=0.05),
    Projection("access", ACCESS, apply_access),
)
