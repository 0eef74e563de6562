"""What stands in the header of an entry, read with care: it may look like anything."""

from datetime import datetime
from urllib.parse import unquote_to_bytes

from telecine_auditor.breaches import BreachKind
from telecine_auditor.sources.message import StoredMessage

__all__ = ["Unreadable", "header_lines", "read_with_care", "shown"]


class Unreadable(Exception):
    """An entry that does not say what it must.

    `kind` is the breach that this is, `account` another account that it may belong to.
    """

    def __init__(
        self, says: str, kind: BreachKind = BreachKind.UNREADABLE, account: str | None = None
    ) -> None:
        super().__init__(says)
        self.kind = kind
        self.account = account


def shown(value: object) -> str:
    """A value as a person may see it: short, and with nothing that a terminal would act on."""
    if type(value) is int and value.bit_length() > 256:
        return "a very large number"
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def read_with_care(
    entry: StoredMessage, types: tuple[str, ...], known: frozenset[str]
) -> tuple[bytes, bytes]:
    """The event's id and its source, whatever its header looks like.

    `types`: those that its subject allows, `known`: all there are. Raises Unreadable.
    """
    lines = header_lines(entry.head)
    for name in ("ce-id", "ce-type", "ce-source", "ce-time"):
        if not lines.get(name):
            raise Unreadable(f"header {name} is missing")
    stated = lines["ce-type"]
    if stated not in known:
        raise Unreadable(f"no event is called {shown(stated)}", BreachKind.UNKNOWN_EVENT)
    subject = lines.get("ce-subject", entry.subject)
    if stated not in types or subject != entry.subject:
        raise Unreadable(f"says that it is {stated} on {shown(subject)}", BreachKind.WRONG_SUBJECT)
    try:
        is_time = datetime.fromisoformat(lines["ce-time"]).tzinfo is not None
    except ValueError:
        is_time = False
    if not is_time:
        raise Unreadable(f"header ce-time is {shown(lines['ce-time'])}, not a time with its zone")
    return lines["ce-id"].encode(), lines["ce-source"].encode()


def header_lines(head: bytes) -> dict[str, str]:
    """The event's attributes by their names in lower case. Raises Unreadable where two lines say the same one."""
    lines: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        key = name.strip().lower().decode("latin-1")
        if colon and key.startswith("ce-"):
            if key in lines:
                raise Unreadable(f"header {shown(key)} is there twice")
            lines[key] = unquote_to_bytes(value.strip()).decode("utf-8", "replace")
    return lines
