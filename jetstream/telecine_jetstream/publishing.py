"""Publishing to a stream: header lines as bytes, and the server's acknowledgement."""

import json
from dataclasses import dataclass

from nats.js.errors import APIError

from .client import NatsClient

__all__ = ["Acknowledgement", "publish_stored", "wire_size"]

EXPECTED_STREAM = b"Nats-Expected-Stream: "


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The stream has the message at `sequence`; `duplicate`: since an earlier publish with the same message id."""

    sequence: int
    duplicate: bool


async def publish_stored(
    client: NatsClient, subject: str, body: bytes, head: bytes, *, stream: str, timeout: float
) -> Acknowledgement:
    """Publish a message with the header lines `head` and wait until `stream` has stored it. `timeout` in seconds.

    Raises APIError when the stream refuses it, and the errors of `NatsClient.request_raw`, after which it may have
    been stored or not.
    """
    head += EXPECTED_STREAM + stream.encode() + b"\r\n"
    reply = json.loads(await client.request_raw(subject, body, head, timeout=timeout))
    if "error" in reply:
        raise APIError.from_error(reply["error"])
    return Acknowledgement(int(reply["seq"]), bool(reply.get("duplicate")))


def wire_size(head: bytes, body: bytes) -> int:
    """Bytes that count against the server's maximum payload; it closes the connection of a client that sends more."""
    return len("NATS/1.0\r\n\r\n") + len(head) + len(body)
