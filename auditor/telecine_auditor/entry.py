"""One message of a stream as it stands there: its place, and every byte of it."""

import re
from typing import NamedTuple

__all__ = ["Entry", "head_of"]

_TRANSPORT = re.compile(rb"^nats-[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(rb"^ce-type: *([^\r\n]*)\r\n", re.IGNORECASE | re.MULTILINE)


class Entry(NamedTuple):
    """`head` holds the header lines as they were sent, each ``Name: value`` with its line break; `stored_at` is when

    the server stored the message, in nanoseconds since 1970 (a claim of the server, part of no hash).
    """

    sequence: int
    stored_at: int
    subject: str
    head: bytes
    body: bytes

    @property
    def stated(self) -> bytes:
        """The bytes that the entry's leaf is the hash of, as `telecine_contracts.transparency` tells."""
        stated = _TRANSPORT.sub(b"", self.head)
        return b"".join((self.subject.encode(), b"\r\n", stated, b"\r\n", self.body))

    @property
    def type(self) -> str | None:
        """The event's type as its header says; None without that header."""
        found = _TYPE.search(self.head)
        return found[1].decode("utf-8", "replace") if found else None

    def header(self, name: str) -> str | None:
        """The value of one header, its name in any case; None if there is none."""
        wanted = name.lower()
        for line in self.head.decode("utf-8", "replace").split("\r\n"):
            known, colon, value = line.partition(":")
            if colon and known.strip().lower() == wanted:
                return value.strip()
        return None


def head_of(headers: dict[str, str] | None) -> bytes:
    """Header lines in the order in which they were sent."""
    return "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()).encode()
