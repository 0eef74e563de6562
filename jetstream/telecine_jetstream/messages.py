"""Messages as a stream stores them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["HeaderLines", "StoredMessage", "from_stored", "parse_headers"]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A stored message with its sequence in the stream."""

    subject: str
    sequence: int
    headers: Mapping[str, str]
    body: bytes


class HeaderLines(Mapping[str, str]):
    """Headers as header `lines`, parsed when one of them is read: decoders of events need the lines alone."""

    __slots__ = ("_headers", "lines")

    def __init__(self, lines: bytes) -> None:
        self.lines = lines
        self._headers: dict[str, str] | None = None

    def _parsed(self) -> dict[str, str]:
        if self._headers is None:
            self._headers = parse_headers(self.lines)
        return self._headers

    def __getitem__(self, name: str) -> str:
        return self._parsed()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsed())

    def __len__(self) -> int:
        return len(self._parsed())


def from_stored(message: Any) -> StoredMessage:
    """A message that the stream's leader returned (nats-py's RawStreamMsg)."""
    headers = {name: str(value) for name, value in (message.headers or {}).items()}
    return StoredMessage(
        subject=message.subject, sequence=message.seq, headers=headers, body=message.data or b""
    )


def parse_headers(lines: bytes) -> dict[str, str]:
    """Header lines, each ``Name: value``, by the rules of nats-py: the last of several lines of one name counts.

    Lines without a colon and names that are not ASCII or contain white space are skipped.
    """
    headers: dict[str, str] = {}
    for line in lines.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon and (key := _header_name(name)) is not None:
            headers[key] = value.strip().decode("utf-8", "replace")
    return headers


@lru_cache(maxsize=1024)
def _header_name(name: bytes) -> str | None:
    """A header's name; None if it is not ASCII or contains white space. Most messages have the same few names."""
    key = name.strip()
    if not key.isascii() or any(map(str.isspace, key.decode())):
        return None
    return key.decode()
