"""Projections from events to tables: generations, the ledger, API keys, and prices."""

from collections.abc import Iterable, Iterator

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.rows import RowKey, Rows, new_row
from telecine_contracts.access import ApiKeyCreated, ApiKeyRevoked, ApiKeyUsed, RateLimitsSet
from telecine_contracts.credits import (
    CreditsDebited,
    CreditsDenied,
    CreditsRefunded,
    CreditsSettled,
    LedgerEvent,
)
from telecine_contracts.dispatch import GenerationDispatched, QueueEntered, QueueLeft
from telecine_contracts.erasure import AccountErased
from telecine_contracts.gateway import VideoEvent as AnyVideoEvent
from telecine_contracts.price_catalog import PricesPublished
from telecine_contracts.streams import ACCESS, CATALOG, LEDGER, QUEUE, VIDEO
from telecine_gateway.access.api_keys import DEFAULT_SCOPES

from .accounts import account_keys, apply_entry
from .charges import apply_to_charge
from .entries import statement_line
from .generations import apply_event
from .tables import (
    METADATA,
    VERSION,
    ApiKey,
    ChargeRow,
    GenerationRow,
    LedgerEntry,
    PublishedPrices,
    QueueEntry,
    QueueTurn,
    RateLimitRow,
    VideoEvent,
)
from .timeline import public_data

__all__ = ["METADATA", "PROJECTIONS", "VERSION"]


def video_keys(recorded: RecordedEvent) -> Iterable[RowKey]:
    """The generation's row."""
    event = recorded.event
    if isinstance(event, AccountErased):
        return ()
    assert isinstance(event, AnyVideoEvent)
    return ((GenerationRow, event.generation),)


def apply_video(rows: Rows, recorded: RecordedEvent) -> None:
    """The generation's row and its timeline. An erased account has none."""
    event = recorded.event
    if isinstance(event, AccountErased):
        rows.erase(GenerationRow, account=event.account)
        rows.erase(VideoEvent, account=event.account)
        return
    assert isinstance(event, AnyVideoEvent)
    row = rows.get(GenerationRow, event.generation)
    changed = apply_event(row, recorded)
    if row is None and changed is not None:
        rows.add(GenerationRow, changed)
    rows.insert(
        VideoEvent,
        sequence=recorded.sequence,
        generation=event.generation,
        account=event.account,
        type=event.type,
        time=recorded.envelope.time,
        data=public_data(event),
    )


def ledger_keys(recorded: RecordedEvent) -> Iterator[RowKey]:
    """The account's rows, and the charge of a generation that has ended."""
    event = recorded.event
    assert isinstance(event, LedgerEvent)
    yield from account_keys(event)
    if isinstance(event, CreditsSettled | CreditsRefunded):
        yield ChargeRow, event.generation


def apply_ledger(rows: Rows, recorded: RecordedEvent) -> None:
    """The account's rows, the entry, and the charge of a generation."""
    event = recorded.event
    assert isinstance(event, LedgerEvent)
    balance = apply_entry(rows, event, event.decided_at or recorded.envelope.time)
    line = statement_line(event, balance.at)
    rows.insert(
        LedgerEntry,
        sequence=recorded.sequence,
        account=event.account,
        entry=line.entry,
        type=event.type,
        action=line.action,
        time=recorded.envelope.time,
        at=line.at,
        generation=line.generation,
        amount=line.amount,
        held_amount=line.held_amount,
        available=line.available,
        held=line.held,
        reason=line.reason,
        reference=line.reference,
        data=line.data,
    )
    _apply_charge(rows, event)


def _apply_charge(rows: Rows, event: LedgerEvent) -> None:
    if isinstance(event, CreditsSettled | CreditsRefunded):
        row = rows.get(ChargeRow, event.generation)
        if row is not None:
            row.state, row.amount = event.action, event.amount
    elif isinstance(event, CreditsDebited | CreditsDenied):
        # Always a generation's first entry, so that no row needs to be read.
        charge = apply_to_charge(None, event)
        assert charge is not None
        row = new_row(
            ChargeRow,
            generation=charge.generation,
            account=charge.account,
            state=charge.state,
            amount=charge.amount,
            available=charge.available,
            reason=charge.reason,
            limit=charge.limit,
        )
        rows.add(ChargeRow, row)


def access_keys(recorded: RecordedEvent) -> Iterator[RowKey]:
    """The key that is created, or the account whose limits change."""
    match recorded.event:
        case ApiKeyCreated() as event:
            yield ApiKey, event.key_sha256
        case RateLimitsSet() as event:
            yield RateLimitRow, event.account


def apply_access(rows: Rows, recorded: RecordedEvent) -> None:
    """API keys and rate limits of accounts."""
    match recorded.event:
        case ApiKeyCreated() as event if rows.get(ApiKey, event.key_sha256) is None:
            scopes = list(DEFAULT_SCOPES if event.scopes is None else event.scopes)
            key = new_row(
                ApiKey,
                sha256=event.key_sha256,
                account=event.account,
                key_id=event.key_id,
                name=event.name,
                scopes=scopes,
                created_at=recorded.envelope.time,
                expires_at=event.expires_at,
            )
            rows.add(ApiKey, key)
            if event.replaces and event.replaced_until:
                for old in rows.find(ApiKey, account=event.account, key_id=event.replaces):
                    old.expires_at = min(old.expires_at or event.replaced_until, event.replaced_until)
        case ApiKeyRevoked() as event:
            for key in rows.find(ApiKey, account=event.account, key_id=event.key_id):
                key.revoked_at = key.revoked_at or recorded.envelope.time
        case ApiKeyUsed() as event:
            for key in rows.find(ApiKey, account=event.account, key_id=event.key_id):
                key.last_used_at = event.used_at
        case RateLimitsSet() as event:
            limits = rows.get(RateLimitRow, event.account)
            if limits is None:
                limits = rows.add(RateLimitRow, new_row(RateLimitRow, account=event.account))
            limits.data = event.model_dump(mode="json", exclude_none=True)


def apply_catalog(rows: Rows, recorded: RecordedEvent) -> None:
    """Price tables."""
    if isinstance(recorded.event, PricesPublished):
        data = recorded.event.model_dump(mode="json", exclude_none=True)
        rows.insert(PublishedPrices, sequence=recorded.sequence, data=data)


def queue_keys(recorded: RecordedEvent) -> Iterator[RowKey]:
    """The generation that waits, and its account's turn."""
    event = recorded.event
    if isinstance(event, QueueEntered | GenerationDispatched | QueueLeft):
        yield QueueEntry, event.generation
        yield QueueTurn, (event.model, event.account)


def apply_queue(rows: Rows, recorded: RecordedEvent) -> None:
    """What waits, by the rules of `dispatch_queue`."""
    match recorded.event:
        case QueueEntered() as event if rows.get(QueueEntry, event.generation) is None:
            rows.add(
                QueueEntry,
                new_row(
                    QueueEntry,
                    generation=event.generation,
                    model=event.model,
                    account=event.account,
                    rank=-event.priority,
                    number=recorded.sequence,
                ),
            )
            turn = rows.get(QueueTurn, (event.model, event.account))
            if turn is None:
                first = new_row(
                    QueueTurn, model=event.model, account=event.account, waiting=0, turn=recorded.sequence
                )
                turn = rows.add(QueueTurn, first)
            turn.waiting += 1
        case GenerationDispatched() | QueueLeft() as event:
            entry = rows.get(QueueEntry, event.generation)
            turn = rows.get(QueueTurn, (event.model, event.account))
            if entry is None or turn is None:
                return
            rows.delete(QueueEntry, entry)
            turn.waiting -= 1
            if not turn.waiting:
                rows.delete(QueueTurn, turn)
            elif isinstance(event, GenerationDispatched):
                turn.turn = recorded.sequence


PROJECTIONS = (
    Projection("generations", VIDEO, apply_video, video_keys, linger=0.1),
    Projection("ledger", LEDGER, apply_ledger, ledger_keys, linger=0.1),
    Projection("access", ACCESS, apply_access, access_keys),
    Projection("catalog", CATALOG, apply_catalog),
    Projection("queue", QUEUE, apply_queue, queue_keys, linger=0.1),
)
