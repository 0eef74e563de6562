"""Messages as a stream stores them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["StoredMessage", "from_stored", "parse_headers"]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A stored message with its sequence in the stream."""

    subject: str
    sequence: int
    headers: Mapping[str, str]
    body: bytes


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
