"""One stored message of a stream, with every byte of it."""

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
_CANONICAL = re.compile(_TRANSPORT + _OURS.replace(b"V", rb"[!-~]++") + _TRANSPORT)
"""Headers as telecine's services write them: no duplicate name, no padding, an id that needs no decoding."""

CanonicalHeaders = tuple[bytes, bytes, bytes, bytes, bytes, bytes]
"""The header lines that are part of the leaf, and from them the event's id, source, type, time and subject."""


class StoredMessage(NamedTuple):
    """A message as its stream holds it.

    `head` holds the header lines as they were sent, each ``Name: value`` with its line break; `stored_at` is when the
    server stored the message, in nanoseconds since 1970 (stated by the server, not part of any hash).
    """

    sequence: int
    stored_at: int
    subject: str
    head: bytes
    body: bytes

    @property
    def stated(self) -> bytes:
        """The bytes whose hash is the entry's leaf, see `telecine_contracts.transparency`."""
        return self.leaf(parse_canonical_headers(self.head))[1:]

    def leaf(self, head: CanonicalHeaders | None) -> bytes:
        """The same after the byte that leaves begin with; `head`: the result of `parse_canonical_headers`, if known."""
        lines = head[0] if head is not None else _normal(self.head)
        return b"".join((b"\x00", self.subject.encode(), b"\r\n", lines, b"\r\n", self.body))

    @property
    def type(self) -> str | None:
        """The event's type as its header states it; None without that header."""
        return self.header("ce-type")

    def header(self, name: str) -> str | None:
        """The value of a header, whose name is not case-sensitive; of duplicates the last. None without that header."""
        wanted = name.lower().encode()
        for line in reversed(self.head.split(b"\r\n")):
            known, colon, value = line.partition(b":")
            if colon and known.strip().lower() == wanted:
                return value.strip().decode("utf-8", "replace")
        return None


def parse_canonical_headers(head: bytes) -> CanonicalHeaders | None:
    """The parsed headers if they have the form that telecine's services write, else None."""
    found = _CANONICAL.fullmatch(head)
    return cast(CanonicalHeaders, found.groups()) if found is not None else None


def encode_headers(headers: dict[str, str] | None) -> bytes:
    """Header lines in the order in which they were sent."""
    return "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items()).encode()


def _normal(head: bytes) -> bytes:
    """The lines that are part of the leaf, from headers of any form, parsed like nats-py parses them."""
    return encode_headers({name: value for name, value in parse_headers(head).items() if is_stated(name)})
