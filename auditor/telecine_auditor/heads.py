"""What stands in an entry's header: found quickly where it looks as ever, read with care where it does not."""

from urllib.parse import unquote_to_bytes

from .breach import BreachKind
from .entry import Entry

__all__ = [
    "Unreadable",
    "header_lines",
    "id_at_a_glance",
    "id_with_care",
    "middle_of",
    "shown",
    "subject_line",
]


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


def id_at_a_glance(head: bytes, middle: bytes, subject_line: bytes) -> bytes | None:
    """The event's id, if the header is one as credits writes it; None if it is any other, good or bad.

    `middle` is what stands between id and time, as `middle_of` tells. One line follows the other at its place, so that
    no attribute is there twice; what comes behind is the transport's.
    """
    at = _TIME_AT + len(middle)
    at += 32 if head.startswith(subject_line, at + 32) else 25
    if head[49:79] != _BEFORE_ID or not head.startswith(middle, _TIME_AT):
        return None
    if not head.startswith(subject_line, at):
        return None
    at += len(subject_line) + 36
    if not head.startswith(b"\r\nce-causation: ", at) or not head.startswith(_AFTER_IDS, at + 52):
        return None
    if head.find(b"\nc", at + 70) >= 0 or head.find(b"\nC", at + 54) >= 0 or head[0] != 78:
        return None
    return head[79:115]


_BEFORE_ID = b"\r\nce-specversion: 1.0\r\nce-id: "
_AFTER_IDS = b"\r\ncontent-type: application/json\r\n"
_TIME_AT = 115


def middle_of(entry: Entry, known: str) -> bytes:
    """What stands between id and time in the headers of events of this type; they differ in their source alone."""
    source = header_lines(entry.head).get("ce-source", "")
    return f"\r\nce-source: {source}\r\nce-type: {known}\r\nce-time: ".encode()


def subject_line(subject: str) -> bytes:
    """What stands between time and correlation."""
    return f"\r\nce-subject: {subject}\r\nce-correlation: ".encode()


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
