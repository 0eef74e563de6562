"""Messages as a stream stores them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nats.aio.msg import Msg

__all__ = ["StoredMessage", "from_delivery", "from_stored", "parse_headers"]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A stored message with its sequence in the stream."""

    subject: str
    sequence: int
    headers: Mapping[str, str]
    body: bytes


def from_delivery(message: Msg) -> StoredMessage:
    """A message that a consumer delivered."""
    return StoredMessage(
        subject=message.subject,
        sequence=message.metadata.sequence.stream,
        headers=dict(message.headers or {}),
        body=message.data,
    )


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
        key = name.strip()
        if colon and key.isascii() and not any(map(str.isspace, key.decode())):
            headers[key.decode()] = value.strip().decode("utf-8", "replace")
    return headers
