"""What stands in the header of an entry, read with care: it may look like anything."""

from urllib.parse import unquote_to_bytes

from .breach import BreachKind
from .entry import Entry

__all__ = ["Unreadable", "header_lines", "id_with_care", "shown"]


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
