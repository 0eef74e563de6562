"""Entries from a NATS server, by questions alone: no consumer is made, nothing is left behind."""

import json
from base64 import b64decode
from collections import deque
from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Any

import nats.errors

from .connection import Connection, Server, connect
from .direct_get import Clock, Page
from .message import Entry
from .port import SourceError

__all__ = ["NatsSource"]

_STREAM_NOT_FOUND, _MESSAGE_NOT_FOUND = 10059, 10037
_AHEAD = 2
"""Questions under way at once: the server looks up the next messages while these are read."""
_PAGE, _LEAST = 1000, 4
_PAGE_BYTES = 8 * 2**20
_TRIES = 5


class NatsSource:
    """A source over one connection. Direct gets may be answered by any replica; the leader has the last word.

    `page`: how many entries to ask for at once; `page_bytes`: how many bytes, about.
    """

    def __init__(self, connection: Connection, *, page: int = _PAGE, page_bytes: int = _PAGE_BYTES) -> None:
        self.connection = connection
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
    ) -> AsyncIterator[Sequence[Entry]]:
        last = await self.last(stream)
        end = last if upto is None else min(last, upto)
        reading = _Reading(self.connection, stream, self._page, self._page_bytes)
        await reading.start()
        try:
            while after < end and (entries := await reading.behind(after, end)):
                after = entries[-1].sequence
                if entries[0].sequence <= end:
                    yield entries if after <= end else [entry for entry in entries if entry.sequence <= end]
        finally:
            await reading.stop()

    async def close(self) -> None:
        await self.connection.close()

    async def info(self, stream: str) -> dict[str, Any]:
        """What the server tells about a stream: `config`, `state`. Raises SourceError."""
        info = await self._info(stream)
        if info is None:
            raise SourceError(f"there is no stream {stream}: `telecine provision` makes it")
        return info

    async def must(self, call: str, question: object) -> None:
        """Have the server do something. Raises SourceError when it refuses."""
        answer = await self.connection.ask(f"$JS.API.{call}", question)
        if "error" in answer:
            raise SourceError(f"the server refused {call}: {answer['error'].get('description')}")

    async def _info(self, stream: str) -> dict[str, Any] | None:
        answer = await self.connection.ask(f"$JS.API.STREAM.INFO.{stream}")
        error = answer.get("error")
        if error and error.get("err_code") != _STREAM_NOT_FOUND:
            raise SourceError(f"the server does not tell about stream {stream}: {error.get('description')}")
        return None if error else answer


class _Reading:
    """One pass over a stream, with questions sent ahead."""

    def __init__(self, connection: Connection, stream: str, page: int, page_bytes: int) -> None:
        self._connection, self._stream = connection, stream
        self._most, self._size, self._bytes = page, page, page_bytes
        self._inbox = connection.new_inbox()
        self._asked: dict[str, Page] = {}
        self._ahead: deque[tuple[str, Page]] = deque()
        self._numbers = count()
        self._clock = Clock()

    async def start(self) -> None:
        """Begin to listen for answers."""
        self._hearing = await self._connection.listen(f"{self._inbox}.*", self._answer)

    async def stop(self) -> None:
        """Listen no more."""
        self._forget()
        await self._connection.deafen(self._hearing)

    async def behind(self, after: int, end: int) -> Sequence[Entry]:
        """The next entries behind sequence `after`; empty when there is none up to `end`."""
        for _ in range(_TRIES):
            page = await self._page(after, end)
            if page is not None:
                entries = page.entries
                if entries and entries[0].sequence <= after:
                    entries = [entry for entry in entries if entry.sequence > after]
                return entries or await self._of_the_leader(after)
        trouble = f" ({self._connection.trouble})" if self._connection.trouble else ""
        raise SourceError(f"the server stopped answering about stream {self._stream}{trouble}: try again")

    async def _page(self, after: int, end: int) -> Page | None:
        """The page that tells what comes behind `after`; None if a part of it was lost on the way."""
        if self._ahead and self._ahead[0][1].first > after + 1:
            # The page before ended early: what was asked ahead begins too late.
            self._forget()
        try:
            await self._ask_ahead(after, end)
            inbox, page = self._ahead.popleft()
            subject = f"$JS.API.DIRECT.GET.{self._stream}"
            with self._connection.asking(subject, page.ended):
                whole = await page.whole()
        except (nats.errors.Error, OSError) as error:
            raise SourceError(f"the connection to NATS was lost: {type(error).__name__}") from error
        del self._asked[inbox]
        if not whole:
            self._forget()
            return None
        # A page that is cut short holds large messages, or is the last one.
        self._size = (
            max(_LEAST, len(page.entries))
            if len(page.entries) < page.size
            else min(self._most, 2 * page.size)
        )
        return page

    async def _ask_ahead(self, after: int, end: int) -> None:
        """Send questions until enough are under way, each for what comes behind the one before."""
        first = self._ahead[-1][1].first + self._ahead[-1][1].size if self._ahead else 0
        first = max(first, after + 1)
        while len(self._ahead) < _AHEAD and (first <= end or not self._ahead):
            size = min(self._size, max(1, end - first + 1))
            await self._ask(first, size)
            first += size

    async def _ask(self, first: int, size: int) -> None:
        inbox, page = f"{self._inbox}.{next(self._numbers)}", Page(first, size, self._clock)
        self._asked[inbox] = page
        self._ahead.append((inbox, page))
        question = json.dumps({"seq": first, "batch": size, "max_bytes": self._bytes}).encode()
        await self._connection.publish(f"$JS.API.DIRECT.GET.{self._stream}", question, reply=inbox)

    def _answer(self, inbox: str, head: bytes, body: bytes) -> None:
        page = self._asked.get(inbox)
        if page is not None:
            page.take(head, body)

    def _forget(self) -> None:
        self._ahead.clear()
        self._asked.clear()

    async def _of_the_leader(self, after: int) -> Sequence[Entry]:
        """The first entry behind `after` as the stream's leader has it, alone; empty if it has none."""
        question = {"seq": after + 1, "next_by_subj": ">"}
        answer = await self._connection.ask(f"$JS.API.STREAM.MSG.GET.{self._stream}", question)
        if "error" not in answer:
            return (_stored(answer["message"], self._clock),)
        if answer["error"].get("err_code") == _MESSAGE_NOT_FOUND:
            return ()
        raise SourceError(f"the server does not show messages of {self._stream}: {answer['error']}")


def _stored(message: dict[str, Any], clock: Clock) -> Entry:
    """A message as STREAM.MSG.GET tells it: header block and body in base64."""
    block = b64decode(message.get("hdrs", ""))
    return Entry(
        message["seq"],
        clock.nanoseconds(message["time"].encode()),
        message["subject"],
        block[block.find(b"\r\n") + 2 : -2] if block else b"",
        b64decode(message.get("data", "")),
    )
