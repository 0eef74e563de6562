"""What stands in an entry's header: found quickly where it looks as ever, read with care where it does not."""

from urllib.parse import unquote_to_bytes

from .breach import BreachKind
from .entry import Entry

__all__ = ["Unreadable", "header_lines", "id_at_a_glance", "id_with_care", "shown"]

_ATTRIBUTES = 8
"""Headers that begin with ``ce-`` in an event that credits wrote."""


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


def id_at_a_glance(head: bytes, type_line: bytes, subject_line: bytes) -> bytes | None:
    """The event's id, if its header looks as credits writes it, with this type and subject; None if it does not."""
    start = head.find(b"\r\nce-specversion: 1.0\r\nce-id: ") + 30
    end = head.find(b"\r\nce-source: ", start)
    at = head.find(type_line, end)
    at = head.find(subject_line, at) if at > 0 else -1
    if start < 30 or end <= start or at < 0 or head.find(b"\r\nce-causation: ", at) < 0:
        return None
    return head[start:end] if head.lower().count(b"\r\nce-") == _ATTRIBUTES else None


def glance_lines(type_name: str, subject: str) -> tuple[bytes, bytes]:
    """What `id_at_a_glance` looks for."""
    return (
        f"\r\nce-type: {type_name}\r\nce-time: ".encode(),
        f"\r\nce-subject: {subject}\r\nce-correlation: ".encode(),
    )


def id_with_care(entry: Entry, types: tuple[str, ...], known: frozenset[str]) -> bytes:
    """The event's id, whatever its header looks like. `types`: those that its subject allows, `known`: all there are.

    Raises Unreadable.
    """
    lines = header_lines(entry.head)
    for name in ("ce-id", "ce-type"):
        if not lines.get(name):
            raise Unreadable(f"header {name} is missing")
    stated = lines["ce-type"]
    if stated not in known:
        raise Unreadable(f"no event is called {shown(stated)}", BreachKind.UNKNOWN_EVENT)
    subject = lines.get("ce-subject", entry.subject)
    if stated not in types or subject != entry.subject:
        raise Unreadable(f"says that it is {stated} on {shown(subject)}", BreachKind.WRONG_SUBJECT)
    return lines["ce-id"].encode()


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
