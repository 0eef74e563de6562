"""Batched direct get (ADR-31): many stored messages for one request, without a consumer.

Creating consumers is a permission that also allows changing those of others; direct get needs only the permission to
read. Any replica may answer, also one that lags behind the stream's leader: the reply is a prefix of what is stored.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import nats.errors
from nats.js.errors import APIError, ServiceUnavailableError

from .client import NatsClient
from .messages import HeaderLines, StoredMessage

__all__ = ["MAX_BATCH", "BatchReply", "MessagePage", "fetch_page", "request_subject"]

MAX_BATCH = 1000
"""Messages that the server returns for one request at most."""
M = TypeVar("M")
Build = Callable[[int, str, bytes, bytes, bytes], M]
"""Makes a message of sequence, subject, the server's time, header lines and body."""
# The server appends its own lines behind the stored ones, which may have the same names.
_FIRST_SERVER_LINE = b"Nats-Stream: "
_SERVER_LINES = re.compile(
    rb"Nats-Stream: [^\r]*\r\nNats-Subject: ([^\r]*)\r\nNats-Sequence: (\d+)\r\nNats-Time-Stamp: ([^\r]*)\r\n"
    rb"Nats-Num-Pending: (\d+)\r\nNats-Last-Sequence: (\d+)\r\n"
)
_LAST_SEQUENCE = re.compile(rb"\r\nNats-Last-Sequence: (\d+)\r\n")
_STATUS = slice(9, 12)
_END_OF_BATCH, _NOT_FOUND, _NO_RESPONDERS = b"204", b"404", b"503"


def request_subject(stream: str) -> str:
    """The subject on which direct gets of a stream are requested."""
    return f"$JS.API.DIRECT.GET.{stream}"


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Consecutive messages of a filter. `pending`: about how many more the server had when it replied."""

    records: list[StoredMessage]
    pending: int


async def fetch_page(
    client: NatsClient, stream: str, subject: str, after: int, *, limit: int, timeout: float
) -> MessagePage:
    """Up to `limit` messages that match `subject` with sequences above `after`, none missing between them.

    `timeout`: seconds without any reply. Raises nats' TimeoutError, ServiceUnavailableError (no such stream, or one
    without direct get), APIError, and PermissionDenied.
    """
    reply = BatchReply(_stored_message)
    async with client.replies(reply.receive) as inbox:
        request = {"seq": after + 1, "next_by_subj": subject, "batch": min(limit, MAX_BATCH)}
        requested = request_subject(stream)
        with client.failing_if_refused(reply.ended, requested):
            await client.publish(requested, json.dumps(request).encode(), reply=inbox)
            await reply.wait(timeout)
    return MessagePage(reply.messages, reply.pending)


def _stored_message(sequence: int, subject: str, time: bytes, head: bytes, body: bytes) -> StoredMessage:
    return StoredMessage(subject, sequence, HeaderLines(head), body)


class BatchReply(Generic[M]):
    """Collects the messages of one batched direct get, each made by `build`.

    `complete` is False when messages were lost on the way: `messages` then ends before the gap.
    """

    __slots__ = ("_build", "_previous", "complete", "ended", "messages", "pending")

    def __init__(self, build: Build[M]) -> None:
        self.messages: list[M] = []
        self.pending = 0
        self.complete = True
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._build = build
        self._previous = b"0"

    def receive(self, subject: str, head: bytes, body: bytes) -> None:
        """Take one message of the reply: a stored one, or the status that ends the batch."""
        at = head.rfind(_FIRST_SERVER_LINE)
        lines = _SERVER_LINES.match(head, at) if at >= 0 else None
        if lines is None:
            if not self.ended.done():
                self._end(head)
            return
        stored_subject, sequence, time, pending, previous = lines.groups()
        # Every message names the sequence before it in the batch, so that a lost one is noticed.
        self.complete = self.complete and previous == self._previous
        if self.complete:
            self._previous = sequence
            self.pending = int(pending)
            begin = head.find(b"\r\n") + 2
            self.messages.append(
                self._build(int(sequence), stored_subject.decode(), time, head[begin:at], body)
            )

    async def wait(self, timeout: float) -> None:
        """Wait for the end of the batch. Raises nats' TimeoutError after `timeout` seconds without a message."""
        seen = -1
        while not self.ended.done():
            if len(self.messages) == seen:
                raise nats.errors.TimeoutError
            seen = len(self.messages)
            await asyncio.wait([self.ended], timeout=timeout)
        self.ended.result()

    def _end(self, head: bytes) -> None:
        status = head[_STATUS]
        if status == _END_OF_BATCH:
            last = _LAST_SEQUENCE.search(head)
            self.complete = self.complete and last is not None and last[1] == self._previous
            self.ended.set_result(None)
        elif status == _NOT_FOUND:
            self.ended.set_result(None)
        elif status == _NO_RESPONDERS:
            self.ended.set_exception(ServiceUnavailableError())
        else:
            text = head[_STATUS.start :].partition(b"\r\n")[0].decode(errors="replace")
            self.ended.set_exception(APIError(description=f"direct get failed: {text!r}"))
