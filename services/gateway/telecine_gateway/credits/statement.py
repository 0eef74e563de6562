"""Statements in words: what an entry changed, and the period. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from telecine_gateway.read_model.entries import Period, StatementLine

__all__ = ["describe_change", "describe_period"]

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


def describe_change(line: StatementLine) -> str:
    """What an entry changed, in words. No text that a user wrote is part of it."""
    words = _CHANGES.get(line.action, line.action)
    match line.action:
        case "granted":
            return f"{words} ({line.data['kind']})"
        case "expired":
            return f"{words}, of grant {line.related_entry}"
        case "adjusted":
            return f"{words} of entry {line.related_entry}"
        case "limits_set":
            return f"{words}: {_limits(line.data)}"
        case _:
            return words


def _limits(data: Mapping[str, Any]) -> str:
    limits = {"a day": data.get("perDay"), "a generation": data.get("perGeneration")}
    stated = ", ".join(f"{limit} credits {per}" for per, limit in limits.items() if limit is not None)
    return f"{stated or 'none'} for {'an API key' if data.get('apiKey') else 'the account'}"


def describe_period(period: Period, now: datetime) -> str:
    """The period in words; one of whole days is given by its first and its last day."""
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
