"""Entries from a NATS server, by requests alone: no consumer is created and nothing is left on the server."""

import json
from base64 import b64decode
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from typing import Any

import nats.errors
from nats.js.errors import APIError, ServiceUnavailableError

from telecine_auditor.errors import SourceError
from telecine_jetstream.client import NatsClient
from telecine_jetstream.direct_get import MAX_BATCH, BatchReply, request_subject
from telecine_jetstream.errors import ConnectionLost, PermissionDenied

from .message import StoredMessage
from .server import REPLY_TIMEOUT, Server, connect, request

__all__ = ["NatsSource"]

_STREAM_NOT_FOUND, _MESSAGE_NOT_FOUND = 10059, 10037
_PREFETCH = 2
"""Pages requested at once: the server looks up the next messages while these are read."""
_SMALLEST_PAGE = 4
_PAGE_BYTES = 8 * 2**20
_TRIES = 5


class NatsSource:
    """A source over one connection. Direct gets may be answered by any replica; the stream's leader has the last word.

    `page`: how many entries to request at once; `page_bytes`: about how many bytes.
    """

    def __init__(self, client: NatsClient, *, page: int = MAX_BATCH, page_bytes: int = _PAGE_BYTES) -> None:
        self.client = client
        self._page, self._page_bytes = page, page_bytes
        self.unread: Sequence[str] = ()

    @classmethod
    async def open(cls, server: Server) -> "NatsSource":
        """Connect. Raises SourceError within seconds when there is no server, or it refuses."""
        return cls(await connect(server))

    async def has(self, stream: str) -> bool:
        return await self._info(stream) is not None

    async def last(self, stream: str) -> int:
        return int((await self.info(stream))["state"]["last_seq"])

    async def batches(
        self, stream: str, *, after: int = 0, upto: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        last = await self.last(stream)
        end = last if upto is None else min(last, upto)
        reader = _StreamReader(self.client, stream, self._page, self._page_bytes)
        await reader.start()
        try:
            while after < end and (entries := await reader.read(after, end)):
                after = entries[-1].sequence
                if entries[0].sequence <= end:
                    yield entries if after <= end else [entry for entry in entries if entry.sequence <= end]
        finally:
            await reader.stop()

    async def close(self) -> None:
        # Closing flushes: on a connection that was just lost that fails, and must not hide the reason.
        with suppress(nats.errors.Error, OSError):
            await self.client.close()

    async def info(self, stream: str) -> dict[str, Any]:
        """The stream's `config` and `state`. Raises SourceError."""
        info = await self._info(stream)
        if info is None:
            raise SourceError(f"there is no stream {stream}: `telecine provision` makes it")
        return info

    async def must(self, call: str, body: object) -> None:
        """Call the JetStream API. Raises SourceError when the server reports an error."""
        reply = await request(self.client, f"$JS.API.{call}", body)
        if "error" in reply:
            raise SourceError(f"the server refused {call}: {reply['error'].get('description')}")

    async def _info(self, stream: str) -> dict[str, Any] | None:
        reply = await request(self.client, f"$JS.API.STREAM.INFO.{stream}")
        error = reply.get("error")
        if error and error.get("err_code") != _STREAM_NOT_FOUND:
            raise SourceError(f"the server does not describe stream {stream}: {error.get('description')}")
        return None if error else reply


@dataclass(frozen=True, slots=True)
class _Page:
    """A request for up to `size` entries from sequence `first`, and its reply."""

    first: int
    size: int
    inbox: str
    reply: BatchReply[StoredMessage]


@contextmanager
def _lost_as_source_error() -> Iterator[None]:
    try:
        yield
    except (nats.errors.Error, OSError) as error:
        raise SourceError(f"the connection to NATS was lost: {type(error).__name__}") from error


class _StreamReader:
    """One pass over a stream with pages requested ahead."""

    def __init__(self, client: NatsClient, stream: str, page: int, page_bytes: int) -> None:
        self._client, self._stream = client, stream
        self._largest, self._size, self._bytes = page, page, page_bytes
        self._inbox = client.new_inbox()
        self._numbers = count()
        self._requested: deque[_Page] = deque()
        self._replies: dict[str, BatchReply[StoredMessage]] = {}
        self._build = partial(_entry, _ServerTime())

    async def start(self) -> None:
        """Subscribe to replies. Raises SourceError."""
        with _lost_as_source_error():
            self._subscription = await self._client.subscribe_raw(f"{self._inbox}.*", self._receive)

    async def stop(self) -> None:
        """Unsubscribe."""
        self._forget()
        # A lost connection has no subscriptions left, and must not hide the error that ended the pass.
        with suppress(nats.errors.Error, OSError):
            await self._client.unsubscribe_raw(self._subscription)

    async def read(self, after: int, end: int) -> Sequence[StoredMessage]:
        """The next entries after sequence `after`; empty when there is none up to `end`."""
        for _ in range(_TRIES):
            entries = await self._next_page(after, end)
            if entries is not None:
                if entries and entries[0].sequence <= after:
                    entries = [entry for entry in entries if entry.sequence > after]
                return entries or await self._from_leader(after)
        last = f" ({self._client.last_error})" if self._client.last_error else ""
        raise SourceError(f"the server stopped answering about stream {self._stream}{last}: try again")

    async def _next_page(self, after: int, end: int) -> Sequence[StoredMessage] | None:
        """What comes after `after`; None if a part of the reply was lost on the way."""
        if self._requested and self._requested[0].first > after + 1:
            # The page before ended early, so the pages requested ahead begin too late.
            self._forget()
        with _lost_as_source_error():
            await self._request_ahead(after, end)
            page = self._requested.popleft()
            complete = await self._is_complete(page.reply)
        del self._replies[page.inbox]
        if not complete:
            self._forget()
            return None
        entries = page.reply.messages
        # A page that is not full reached the limit of bytes, or the end of the stream.
        self._size = (
            max(_SMALLEST_PAGE, len(entries))
            if len(entries) < page.size
            else min(self._largest, 2 * page.size)
        )
        return entries

    async def _is_complete(self, reply: BatchReply[StoredMessage]) -> bool:
        try:
            with self._client.failing_if_refused(reply.ended, request_subject(self._stream)):
                await reply.wait(REPLY_TIMEOUT)
        except (TimeoutError, ConnectionLost):
            return False
        except PermissionDenied as error:
            raise SourceError(str(error)) from error
        except ServiceUnavailableError:
            raise SourceError(
                f"the stream {self._stream} can't be read by direct get: it does not exist, or has allow_direct off"
            ) from None
        except APIError as error:
            raise SourceError(
                f"the server refused a direct get of {self._stream}: {error.description}"
            ) from error
        return reply.complete

    async def _request_ahead(self, after: int, end: int) -> None:
        """Request pages until enough are under way, each for what follows the one before."""
        first = self._requested[-1].first + self._requested[-1].size if self._requested else 0
        first = max(first, after + 1)
        while len(self._requested) < _PREFETCH and (first <= end or not self._requested):
            size = min(self._size, max(1, end - first + 1))
            await self._request(first, size)
            first += size

    async def _request(self, first: int, size: int) -> None:
        page = _Page(first, size, f"{self._inbox}.{next(self._numbers)}", BatchReply(self._build))
        self._replies[page.inbox] = page.reply
        self._requested.append(page)
        body = json.dumps({"seq": first, "batch": size, "max_bytes": self._bytes}).encode()
        await self._client.publish(request_subject(self._stream), body, reply=page.inbox)

    def _receive(self, inbox: str, head: bytes, body: bytes) -> None:
        reply = self._replies.get(inbox)
        if reply is not None:
            reply.receive(inbox, head, body)

    def _forget(self) -> None:
        self._requested.clear()
        self._replies.clear()

    async def _from_leader(self, after: int) -> Sequence[StoredMessage]:
        """The first entry after `after` that the stream's leader has; empty if it has none."""
        body = {"seq": after + 1, "next_by_subj": ">"}
        reply = await request(self._client, f"$JS.API.STREAM.MSG.GET.{self._stream}", body)
        if "error" not in reply:
            message = reply["message"]
            block = b64decode(message.get("hdrs", ""))
            head = block[block.find(b"\r\n") + 2 : -2] if block else b""
            time, data = message["time"].encode(), b64decode(message.get("data", ""))
            return (self._build(message["seq"], message["subject"], time, head, data),)
        if reply["error"].get("err_code") == _MESSAGE_NOT_FOUND:
            return ()
        raise SourceError(f"the server does not return messages of {self._stream}: {reply['error']}")


class _ServerTime:
    """Parses the server's times. Messages of one minute share the part that is slow to parse."""

    __slots__ = ("_minute", "_seconds")

    def __init__(self) -> None:
        self._minute, self._seconds = b"", 0

    def nanoseconds(self, time: bytes) -> int:
        """``2026-11-23T07:02:50.675061051Z`` in nanoseconds since 1970. The server writes UTC."""
        if time[:16] != self._minute:
            self._minute = time[:16]
            self._seconds = int(datetime.fromisoformat(f"{self._minute.decode()}:00+00:00").timestamp())
        seconds = self._seconds + int(time[17:19])
        return seconds * 1_000_000_000 + int(time[20:-1].ljust(9, b"0"))


def _entry(
    clock: _ServerTime, sequence: int, subject: str, time: bytes, head: bytes, body: bytes
) -> StoredMessage:
    return StoredMessage(sequence, clock.nanoseconds(time), subject, head, body)
