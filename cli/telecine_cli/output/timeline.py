"""Events and ledgers as lines of text and as JSON. Pure."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from telecine_chassis.eventstore.port import RecordedEvent, UndecodedEvent
from telecine_contracts import Event, encode
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

from .event_summary import describe, printable

__all__ = [
    "align_columns",
    "as_json",
    "format_time",
    "ledger_as_json",
    "ledger_lines",
    "live_line",
    "signed",
    "timeline_lines",
]


def format_time(time: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timeline_lines(events: Sequence[RecordedEvent]) -> list[str]:
    """One line an event: seconds since the first, where it stands, its type, what it says."""
    if not events:
        return []
    start = events[0].envelope.time
    return align_columns(
        (
            f"+{(recorded.envelope.time - start).total_seconds():.3f} s",
            _place(recorded),
            _type(recorded),
            _description(recorded),
        )
        for recorded in events
    )


def live_line(recorded: RecordedEvent) -> str:
    """One event as it happens: time, place, whom it is about, type, words."""
    about = " ".join(recorded.event.about.values())
    time = format_time(recorded.envelope.time)
    return f"{time}  {_place(recorded):<12}  {_type(recorded):<32}  {about}  {_description(recorded)}"


def ledger_lines(entries: Iterable[RecordedEvent]) -> list[str]:
    """An account's ledger, a line an entry: number, time, event, the change of available and held, the balances."""
    head = ("entry", "time", "event", "available", "held", "= available", "= held", "for")
    return align_columns([head, *map(_entry, entries)], right={0, 3, 4, 5, 6})


def _entry(recorded: RecordedEvent) -> tuple[str, ...]:
    event = recorded.event
    assert isinstance(event, LedgerEvent)
    return (
        str(event.entry),
        format_time(recorded.envelope.time),
        event.type,
        signed(_moved(event, "available")),
        signed(_moved(event, "held")),
        str(event.balances.available),
        str(event.balances.held),
        printable(_event_target(event)),
    )


def _event_target(event: LedgerEvent) -> str:
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


def as_json(recorded: RecordedEvent) -> dict[str, Any]:
    """Everything about an event: its place, its envelope, its body under `data`."""
    envelope = recorded.envelope
    return {
        "stream": recorded.event.stream,
        "sequence": recorded.sequence,
        "type": _type(recorded),
        "time": format_time(envelope.time),
        "id": envelope.id,
        "source": envelope.source,
        "subject": envelope.subject,
        "correlation": envelope.correlation,
        "causation": envelope.causation,
        "traceparent": envelope.traceparent,
        **_data(recorded.event),
    }


def _data(event: Event) -> dict[str, Any]:
    if isinstance(event, UndecodedEvent):
        return {"data": None, "unread": str(event.error)}
    return {"data": json.loads(encode(event))}


def _type(recorded: RecordedEvent) -> str:
    event = recorded.event
    return printable(event.name or "-") if isinstance(event, UndecodedEvent) else event.type


def _description(recorded: RecordedEvent) -> str:
    event = recorded.event
    if not isinstance(event, UndecodedEvent):
        return describe(event)
    return (
        "of a newer version: upgrade to read it"
        if event.is_unknown
        else "no event: " + printable(str(event.error))
    )


def ledger_as_json(recorded: RecordedEvent) -> dict[str, Any]:
    """One entry of a ledger: what moved, and what the account had then."""
    event = recorded.event
    assert isinstance(event, LedgerEvent)
    entry = {
        "entry": event.entry,
        "sequence": recorded.sequence,
        "type": event.type,
        "time": format_time(recorded.envelope.time),
        "available": _moved(event, "available"),
        "held": _moved(event, "held"),
        "balances": event.balances.model_dump(),
    }
    names = ("generation", "reference", "reason", "grant", "corrects", "api_key")
    values = {name: value for name in names if (value := getattr(event, name, None))}
    return entry | {name: value if isinstance(value, int) else str(value) for name, value in values.items()}


def align_columns(rows: Iterable[Sequence[str]], right: frozenset[int] | set[int] = frozenset()) -> list[str]:
    """Rows as lines with aligned columns; those numbered in `right` end together."""
    table = [tuple(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [_aligned(row, widths, right).rstrip() for row in table]


def _aligned(row: Sequence[str], widths: Sequence[int], right: frozenset[int] | set[int]) -> str:
    return "  ".join(
        cell.rjust(width) if number in right else cell.ljust(width)
        for number, (cell, width) in enumerate(zip(row, widths, strict=True))
    )


def _place(recorded: RecordedEvent) -> str:
    return f"{recorded.event.stream}#{recorded.sequence}"


def _moved(event: LedgerEvent, side: str) -> int:
    return sum(leg.amount for leg in event.postings if leg.account == f"{event.account}:{side}")


def signed(amount: int) -> str:
    """A change, with its sign."""
    return f"{amount:+d}" if amount else "0"
