"""Strict parser for the headers of an entry, which may hold any bytes."""

from datetime import datetime
from urllib.parse import unquote_to_bytes

from telecine_auditor.breaches import BreachKind
from telecine_auditor.sources.message import StoredMessage

__all__ = ["UnreadableEntry", "parse_headers", "parse_identity", "printable"]


class UnreadableEntry(Exception):
    """A message that is not a valid entry. `kind` is the breach, `account` another account that it may belong to."""

    def __init__(
        self, message: str, kind: BreachKind = BreachKind.UNREADABLE, account: str | None = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.account = account


def printable(value: object) -> str:
    """A value as short ASCII text, without control characters."""
    if type(value) is int and value.bit_length() > 256:
        return "a very large number"
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def parse_identity(
    entry: StoredMessage, types: tuple[str, ...], known: frozenset[str]
) -> tuple[bytes, bytes]:
    """The event's id and source.

    `types` are those that the subject allows, `known` are all types. Raises UnreadableEntry.
    """
    lines = parse_headers(entry.head)
    for name in ("ce-id", "ce-type", "ce-source", "ce-time"):
        if not lines.get(name):
            raise UnreadableEntry(f"header {name} is missing")
    stated = lines["ce-type"]
    if stated not in known:
        raise UnreadableEntry(f"unknown event {printable(stated)}", BreachKind.UNKNOWN_EVENT)
    subject = lines.get("ce-subject", entry.subject)
    if stated not in types or subject != entry.subject:
        raise UnreadableEntry(f"header says {stated} on {printable(subject)}", BreachKind.WRONG_SUBJECT)
    try:
        is_time = datetime.fromisoformat(lines["ce-time"]).tzinfo is not None
    except ValueError:
        is_time = False
    if not is_time:
        raise UnreadableEntry(f"header ce-time is {printable(lines['ce-time'])}, not a time with its zone")
    return lines["ce-id"].encode(), lines["ce-source"].encode()


def parse_headers(head: bytes) -> dict[str, str]:
    """The CloudEvents headers by lower-case name. Raises Unreadable where two lines say the same one."""
    lines: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        key = name.strip().lower().decode("latin-1")
        if colon and key.startswith("ce-"):
            if key in lines:
                raise UnreadableEntry(f"header {printable(key)} is there twice")
            lines[key] = unquote_to_bytes(value.strip()).decode("utf-8", "replace")
    return lines
