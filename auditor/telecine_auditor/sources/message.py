"""One message of a stream as it stands there: its place, and every byte of it."""

import re
from typing import NamedTuple, cast

from telecine_contracts.transparency import is_stated
from telecine_jetstream.messages import parse_headers

__all__ = ["CanonicalHeaders", "StoredMessage", "encode_headers", "parse_canonical_headers"]

_TRANSPORT = rb"(?:Nats-[!-9;-~]++: [ -~]*+\r\n)*+"
_OURS = (
    rb"(ce-specversion: V\r\nce-id: ([!-$&-~]++)\r\nce-source: (V)\r\nce-type: (V)\r\nce-time: (V)\r\n"
    rb"ce-subject: (V)\r\nce-correlation: V\r\nce-causation: V\r\ncontent-type: V\r\n(?:traceparent: V\r\n)?)"
)
_AS_EVER = re.compile(_TRANSPORT + _OURS.replace(b"V", rb"[!-~]++") + _TRANSPORT)
"""A header as telecine's services write it: no name twice, nothing around a value, an id that needs no decoding."""

CanonicalHeaders = tuple[bytes, bytes, bytes, bytes, bytes, bytes]
"""The lines of a header that are part of the leaf; of these the event's id, its source, type, time and subject."""


class StoredMessage(NamedTuple):
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
        return self.leaf(parse_canonical_headers(self.head))[1:]

    def leaf(self, head: CanonicalHeaders | None) -> bytes:
        """The same behind the byte that leaves begin with, for who has read the header already, by `usual_head`."""
        lines = head[0] if head is not None else _normal(self.head)
        return b"".join((b"\x00", self.subject.encode(), b"\r\n", lines, b"\r\n", self.body))

    @property
    def type(self) -> str | None:
        """The event's type as its header says; None without that header."""
        return self.header("ce-type")

    def header(self, name: str) -> str | None:
        """The value of one header, its name in any case, the last one where it comes twice; None if there is none."""
        wanted = name.lower().encode()
        for line in reversed(self.head.split(b"\r\n")):
            known, colon, value = line.partition(b":")
            if colon and known.strip().lower() == wanted:
                return value.strip().decode("utf-8", "replace")
        return None


def parse_canonical_headers(head: bytes) -> CanonicalHeaders | None:
    """What the header says, where it is one as telecine's services write it."""
    found = _AS_EVER.fullmatch(head)
    return cast(CanonicalHeaders, found.groups()) if found is not None else None


def encode_headers(headers: dict[str, str] | None) -> bytes:
    """Header lines in the order in which they were sent."""
    return "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()).encode()


def _normal(head: bytes) -> bytes:
    """The lines that are part of the leaf, from a header of any form, read as nats-py reads it."""
    return encode_headers({name: value for name, value in parse_headers(head).items() if is_stated(name)})
