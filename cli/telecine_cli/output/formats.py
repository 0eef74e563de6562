"""Values as text for a terminal: descriptions of events, times, changes of a balance. Pure."""

import unicodedata
from datetime import UTC, datetime

from telecine_contracts import Event, descriptions
from telecine_contracts.credits import LedgerEvent

__all__ = ["describe", "format_change", "format_time", "printable"]


def describe(event: Event) -> str:
    """One printable line about an event, without prompt, URL or key; for an entry of the ledger with the balance."""
    text = descriptions.describe(event)
    if isinstance(event, LedgerEvent) and event.postings:
        text += f", {event.balances.available} available"
    return printable(text)


def printable(text: str) -> str:
    """`text` on one line, with a dot in place of every character that could move the cursor or hide others."""
    kept = (c if c == " " or unicodedata.category(c)[0] not in "CZ" else "·" for c in text)
    return "".join(kept)


def format_time(time: datetime) -> str:
    """A time in UTC with milliseconds, e.g. 2026-11-30T12:00:00.000Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_change(amount: int) -> str:
    """A change of a balance with its sign, e.g. +50."""
    return f"{amount:+d}" if amount else "0"
