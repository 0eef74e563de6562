"""Event descriptions for the terminal: one printable line without prompts, URLs or keys. Pure."""

import unicodedata

from telecine_contracts import Event, descriptions
from telecine_contracts.credits import LedgerEvent

__all__ = ["describe", "printable"]


def describe(event: Event) -> str:
    """A line that is safe to print on a terminal, whatever users or providers wrote into the event."""
    text = descriptions.describe(event)
    if isinstance(event, LedgerEvent) and event.postings:
        text += f", {event.balances.available} available"
    return printable(text)


def printable(text: str) -> str:
    """`text` on one line, with a dot for every character that could move the cursor or hide others."""
    kept = (c if c == " " or unicodedata.category(c)[0] not in "CZ" else "·" for c in text)
    return "".join(kept)
