"""An account's statement: what it had, every entry that moved its credits or changed it, what it has then. Pure.

An entry counts when it was decided, but never before the entry before it: so periods that follow one another share
their balance, and opening balance plus movements is the closing balance, always. Requests that were denied are left
out: they moved nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from telecine_contracts import Event
from telecine_contracts.credits import LedgerEvent
from telecine_gateway.read_model.text import storable
from telecine_gateway.read_model.timeline import short_data

__all__ = ["DENIED", "START", "Line", "Mark", "Period", "Statement", "change", "days", "line_of"]

DENIED = "denied"
"""The action of entries that a statement leaves out."""
_CHANGES = {
    "granted": "Credits granted",
    "debited": "Held for a video",
    "denied": "Request denied",
    "settled": "Video delivered",
    "refunded": "Refunded",
    "expired": "Expired",
    "adjusted": "Adjustment",
    "closed": "Account closed",
    "reopened": "Account reopened",
    "limits_set": "Spend limits set",
    "skipped": "Foreign message skipped",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What an account has after its entry number `entry`, in credits."""

    entry: int
    available: int
    held: int


START = Mark(0, 0, 0)
"""Before the first entry."""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry. `amount` and `held_amount`: what it did to available and to held; `data`: what else it says."""

    entry: int
    at: datetime
    action: str
    amount: int
    held_amount: int
    available: int
    held: int
    generation: str | None
    reference: str | None
    reason: str | None
    data: dict[str, Any]

    @property
    def after(self) -> Mark:
        """What the account has then."""
        return Mark(self.entry, self.available, self.held)

    @property
    def concerns(self) -> int | None:
        """The entry that this one is about: which it corrects, or the grant that expired."""
        number: int | None = self.data.get("corrects", self.data.get("grant"))
        return number


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on, before `until`; None: from the first entry, up to now."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Statement:
    """What a statement begins and ends with."""

    account: str
    period: Period
    opening: Mark
    closing: Mark


def line_of(event: LedgerEvent, at: datetime) -> Line:
    """An entry as a line of a statement."""
    return Line(
        entry=event.entry,
        at=at,
        action=event.action,
        amount=_moved(event, "available"),
        held_amount=_moved(event, "held"),
        available=event.balances.available,
        held=event.balances.held,
        generation=event.about.get("generation"),
        reference=_text(event, "reference"),
        reason=_text(event, "reason"),
        data=short_data(event),
    )


def _moved(event: LedgerEvent, leg: str) -> int:
    return sum(posting.amount for posting in event.postings if posting.account == f"{event.account}:{leg}")


def _text(event: Event, name: str) -> str | None:
    value = getattr(event, name, None)
    return storable(str(value)) if value else None


def change(line: Line) -> str:
    """What an entry did, in words: nothing in them comes from outside."""
    words = _CHANGES.get(line.action, line.action)
    match line.action:
        case "granted":
            return f"{words} ({line.data['kind']})"
        case "expired":
            return f"{words}, of grant {line.concerns}"
        case "adjusted":
            return f"{words} of entry {line.concerns}"
        case "limits_set":
            return f"{words}: {_limits(line.data)}"
        case _:
            return words


def _limits(data: Mapping[str, Any]) -> str:
    limits = {"a day": data.get("perDay"), "a generation": data.get("perGeneration")}
    told = ", ".join(f"{limit} credits {per}" for per, limit in limits.items() if limit is not None)
    return f"{told or 'none'} for {'an API key' if data.get('apiKey') else 'the account'}"


def days(period: Period, now: datetime) -> str:
    """The period in words; whole days are told by their first and their last."""
    since, until = period.since, period.until or now
    if since is None:
        return f"up to {_end(until)}"
    if period.until is not None and _is_midnight(since) and until - since == timedelta(days=1):
        return _day(since)
    return f"{_day(since) if _is_midnight(since) else _minute(since)} to {_end(until)}"


def _end(until: datetime) -> str:
    return _day(until - timedelta(days=1)) if _is_midnight(until) else _minute(until)


def _is_midnight(time: datetime) -> bool:
    return (time.hour, time.minute, time.second, time.microsecond) == (0, 0, 0, 0)


def _day(time: datetime) -> str:
    return f"{time.day} {time:%B %Y}"


def _minute(time: datetime) -> str:
    return f"{_day(time)} {time.astimezone(UTC):%H:%M} UTC"
