"""Entries of an account's ledger as rows of a table and as JSON. Pure."""

from typing import Any

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts.credits import (
    AccountClosed,
    AccountReopened,
    CreditsAdjusted,
    CreditsExpired,
    CreditsGranted,
    LedgerEvent,
    MessageSkipped,
    SpendLimitsSet,
)

from .formats import describe, format_change, format_time, printable

__all__ = ["LEDGER_HEAD", "LEDGER_RIGHT", "ledger_as_json", "ledger_row"]

LEDGER_HEAD = ("entry", "time", "event", "available", "held", "= available", "= held", "for")
LEDGER_RIGHT = frozenset({0, 3, 4, 5, 6})
"""The columns with numbers."""


def ledger_row(recorded: RecordedEvent) -> tuple[str, ...]:
    """One entry: number, time, event, change of available and held, balances after it, what it is for."""
    event = recorded.event
    assert isinstance(event, LedgerEvent)
    return (
        str(event.entry),
        format_time(recorded.envelope.time),
        event.type,
        format_change(_change(event, "available")),
        format_change(_change(event, "held")),
        str(event.balances.available),
        str(event.balances.held),
        printable(_purpose(event)),
    )


def ledger_as_json(recorded: RecordedEvent) -> dict[str, Any]:
    """One entry: the changes, and the balances after it."""
    event = recorded.event
    assert isinstance(event, LedgerEvent)
    entry = {
        "entry": event.entry,
        "sequence": recorded.sequence,
        "type": event.type,
        "time": format_time(recorded.envelope.time),
        "available": _change(event, "available"),
        "held": _change(event, "held"),
        "balances": event.balances.model_dump(),
    }
    names = ("generation", "reference", "reason", "grant", "corrects", "api_key")
    values = {name: value for name in names if (value := getattr(event, name, None))}
    return entry | {name: value if isinstance(value, int) else str(value) for name, value in values.items()}


def _purpose(event: LedgerEvent) -> str:
    match event:
        case CreditsGranted():
            return event.reference
        case CreditsExpired():
            return f"grant {event.grant}"
        case CreditsAdjusted():
            return f"entry {event.corrects}, {event.reference}"
        case AccountClosed() | AccountReopened():
            return event.reason
        case SpendLimitsSet() | MessageSkipped():
            return describe(event)
        case _:
            return event.about.get("generation", "")


def _change(event: LedgerEvent, side: str) -> int:
    return sum(posting.amount for posting in event.postings if posting.account == f"{event.account}:{side}")
