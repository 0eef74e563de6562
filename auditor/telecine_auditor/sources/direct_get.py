"""Batched direct get (ADR-31): one question, many stored messages, each with its place in headers of the server's."""

import re
from asyncio import Future, get_running_loop, wait
from datetime import datetime

from .connection import ANSWER_SECONDS, Interrupted, NotAllowed
from .message import Entry
from .port import SourceError

__all__ = ["Clock", "Page"]

# The server puts its own lines behind those that were stored.
_PLACE = re.compile(
    rb"Nats-Stream: [^\r]*\r\nNats-Subject: ([^\r]*)\r\nNats-Sequence: (\d+)\r\nNats-Time-Stamp: ([^\r]*)\r\n"
    rb"Nats-Num-Pending: \d+\r\nNats-Last-Sequence: (\d+)\r\n"
)
_BEGIN = b"Nats-Stream: "
_LAST = re.compile(rb"\r\nNats-Last-Sequence: (\d+)\r\n")
_STATUS = slice(9, 12)
_END, _NOTHING, _NOBODY = b"204", b"404", b"503"
"""NATS/1.0 204 EOB; 404 Message Not Found; 503 when nobody answers the subject."""


class Page:
    """The answers to one question for the messages from sequence `first` on, at most `size`.

    `entries` is what came. `complete` says whether nothing of it was lost on the way: every answer names the sequence
    before it, and the end names the last one.
    """

    __slots__ = ("_clock", "_ended", "_previous", "complete", "entries", "first", "size")

    def __init__(self, first: int, size: int, clock: "Clock") -> None:
        self.first, self.size = first, size
        self.entries: list[Entry] = []
        self.complete = True
        self._previous = b"0"
        self._clock = clock
        self._ended: Future[None] = get_running_loop().create_future()

    @property
    def ended(self) -> "Future[None]":
        """Done at the last answer; fails when the question was refused."""
        return self._ended

    def take(self, head: bytes, body: bytes) -> None:
        """One answer."""
        at = head.rfind(_BEGIN)
        place = _PLACE.match(head, at) if at >= 0 else None
        if place is None:
            self._end(head)
            return
        subject, sequence, time, previous = place.groups()
        self.complete &= previous == self._previous
        self._previous = sequence
        stored_at = self._clock.nanoseconds(time)
        begin = head.find(b"\r\n") + 2
        self.entries.append(Entry(int(sequence), stored_at, subject.decode(), head[begin:at], body))

    async def whole(self) -> bool:
        """Wait for the last answer; whether all came. Raises NotAllowed or SourceError when the server refuses."""
        seen = -1
        while not self._ended.done() and len(self.entries) > seen:
            seen = len(self.entries)
            await wait((self._ended,), timeout=ANSWER_SECONDS)
        if not self._ended.done():
            return False
        try:
            self._ended.result()
        except Interrupted:
            return False
        return self.complete

    def _end(self, head: bytes) -> None:
        if self._ended.done():
            return
        status = head[_STATUS]
        if status == _END:
            last = _LAST.search(head)
            self.complete &= last is not None and last[1] == self._previous
            self._ended.set_result(None)
        elif status == _NOTHING:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(_refusal(status, head))


def _refusal(status: bytes, head: bytes) -> SourceError:
    if status == _NOBODY:
        return NotAllowed("the stream can't be read by direct get: it is not there, or has allow_direct off")
    words = head[_STATUS.start :].partition(b"\r\n")[0].decode(errors="replace")
    return SourceError(f"the server answered a direct get with {words!r}")


class Clock:
    """Reads the server's times. Messages of one minute share the part that takes long to read."""

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
