"""Announcements: messages that the server republishes when it has stored them, kept until they are read.

The server publishes them once, to the clients that listen: one that is lost on the way is not sent again. A reader
takes only what follows its position without a gap, and reads everything else from the stream.
"""

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Announcement", "Announcements"]

MAX_MESSAGES = 2000
"""Messages that are kept for a reader; it gets the others from the stream."""
MAX_BYTES = 4 * 2**20
"""Bytes of headers and bodies that are kept for a reader."""
_FIRST_SERVER_LINE = b"Nats-Stream: "
_NO_BODY = b"\r\nNats-Msg-Size: "
"""Begins the line that says that the body was left out (`headers_only`)."""


@dataclass(slots=True)
class Announcement:
    """One announced message, or several consecutive ones that the reader does not want: `first` to `last`.

    `head` are the stored header lines. `is_complete`: False if the message itself has to be read from the stream.
    """

    first: int
    last: int
    is_wanted: bool
    is_complete: bool = True
    subject: str = ""
    head: bytes = b""
    body: bytes = b""

    @property
    def size(self) -> int:
        """Bytes of headers and body."""
        return len(self.head) + len(self.body)


class Announcements:
    """The announcements of one stream, for one reader. Give `receive` to `NatsClient.subscribe_raw`.

    Messages whose subjects, as announced, do not match `wanted` are remembered by their sequences alone, and do not
    wake the reader.
    """

    def __init__(self, stream: str, wanted: re.Pattern[str]) -> None:
        self._wanted = wanted.fullmatch
        # The server appends its own lines behind the stored ones, which may have the same names.
        self._server_lines = re.compile(
            rb"Nats-Stream: %s\r\nNats-Subject: ([^\r]*)\r\nNats-Sequence: (\d+)\r\n"
            % re.escape(stream.encode())
        )
        self._kept: deque[Announcement] = deque()
        self._size = 0
        self._newest = 0
        self._interrupted = False
        self._news: asyncio.Future[None] | None = None

    def receive(self, subject: str, head: bytes, body: bytes) -> None:
        """Keep one message. Called in the read loop."""
        at = head.rfind(_FIRST_SERVER_LINE)
        lines = self._server_lines.match(head, at) if at >= 0 else None
        if lines is None:
            return
        sequence = int(lines[2])
        follows, self._newest = sequence == self._newest + 1, sequence
        if self._wanted(subject) is None:
            if follows and self._kept and not self._kept[-1].is_wanted:
                self._kept[-1].last = sequence
            else:
                self._kept.append(Announcement(sequence, sequence, is_wanted=False))
        else:
            own = head[head.find(b"\r\n") + 2 : at]
            complete = head.find(_NO_BODY, at) < 0
            one = Announcement(sequence, sequence, True, complete, lines[1].decode(), own, body)
            self._kept.append(one)
            self._size += one.size
            follows = False  # news for the reader
        while len(self._kept) > MAX_MESSAGES or self._size > MAX_BYTES:
            self._drop_oldest()
        if not follows:
            self._wake()

    def interrupt(self) -> None:
        """Announcements may have been lost: the reader is told once that it has to read the stream."""
        self._interrupted = True
        self._wake()

    def take(self, after: int, limit: int) -> tuple[Sequence[Announcement], int]:
        """At most `limit` wanted messages that follow `after` without a gap, and the position behind them."""
        found: list[Announcement] = []
        while self._kept and len(found) < limit:
            oldest = self._kept[0]
            if oldest.last > after:
                if oldest.first > after + 1 or not oldest.is_complete:
                    break
                after = oldest.last
                if oldest.is_wanted:
                    found.append(oldest)
            self._drop_oldest()
        return found, after

    def has_gap(self, after: int) -> bool:
        """Whether what follows `after` has to be read from the stream: it was announced, and `take` cannot give it.

        Call it after `take`. True once after `interrupt`.
        """
        interrupted, self._interrupted = self._interrupted, False
        return interrupted or self.lacks(after)

    def lacks(self, after: int) -> bool:
        """Whether a message behind the next one after `after` is announced, or the next one without its body."""
        while self._kept and self._kept[0].last <= after:
            self._drop_oldest()
        return bool(self._kept) and (self._kept[0].first > after + 1 or not self._kept[0].is_complete)

    def forget(self) -> None:
        """Drop everything: what was announced no longer exists."""
        self._kept.clear()
        self._size = 0

    async def wait(self, timeout: float) -> None:
        """Wait until there may be something to take or to read, at most `timeout` seconds."""
        loop = asyncio.get_running_loop()
        self._news = news = loop.create_future()
        timer = loop.call_later(timeout, self._wake)
        try:
            await news
        finally:
            timer.cancel()
            self._news = None

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _drop_oldest(self) -> None:
        self._size -= self._kept.popleft().size
