"""Catch-up subscription: reads a stream in order from any sequence and then follows it; the source of every projection.

It fetches pages by direct get until it has caught up. From then on it takes the messages from the server's
announcements (JetStream republishes every message that it has stored), and fetches a page when one is missing. It
creates no consumer: the permission to create one would also allow changing the consumers of other services.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import nats.errors
import structlog
from nats.js.errors import NotFoundError

from telecine_chassis.runtime.cancellation import raise_if_cancelled
from telecine_contracts.streams import Stream
from telecine_contracts.subjects import stored
from telecine_jetstream.announcements import Announcement, Announcements
from telecine_jetstream.client import NatsClient
from telecine_jetstream.direct_get import MessagePage, fetch_page
from telecine_jetstream.messages import HeaderLines, StoredMessage

__all__ = ["CatchUpSubscription", "MessageBatch"]

log = structlog.get_logger(__name__)
EVERYTHING = ">"
"""Filter of a page. For a narrower one, even if all messages match, the server counts what is pending, message by
message: 15 ms a page on a stream of 70,000."""
IDLE_TIMEOUT = 5
"""Seconds without an announcement until a page is fetched anyway. Announcements may be lost between two servers of a
cluster; the next announcement shows that at once, and this timeout if there is none."""
SETTLE_TIMEOUT = 0.5
"""The same after a page with messages: the servers of a cluster may not know yet that announcements are wanted here."""
SILENCE_TIMEOUT = 2
"""Seconds without a reply after which a page is requested again."""
RETRY_INTERVAL = 0.5
"""Seconds until a page is requested again after a failure."""
REPLICA_LAG_INTERVAL = 0.01
"""Seconds between two requests while a replica does not have an announced message yet."""
ANNOUNCEMENT_TIMEOUT = 5
"""Seconds for which an announced message is requested at that interval; it may have been removed since."""


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """Messages in stream order, none missing between two batches. `pending`: about how many more the server has."""

    records: Sequence[StoredMessage]
    pending: int


class CatchUpSubscription:
    """The messages that match `filters` (none: the whole stream), without gaps or duplicates.

    With filters the whole stream is read, too: of an announcement that does not match, only the sequence is looked at,
    which shows that none was lost.
    """

    def __init__(
        self,
        connection: NatsClient,
        stream: Stream,
        *,
        filters: Sequence[str] = (),
        limit: int = 500,
        interval: float = 0,
    ) -> None:
        """A batch has at most `limit` messages.

        `interval`: seconds between two looks at the stream, for a reader that need not be current. It hears no
        announcements, which would wake its process for every message of the stream.
        """
        self._connection = connection
        self._stream = stream
        self._filters = list(filters or stream.subjects)
        self._limit = limit
        self._interval = interval
        [self._whole] = stream.subjects
        self._wanted = _pattern(self._filters)

    async def head(self) -> int:
        """The sequence of the last message that currently matches the filters; 0 if there is none."""
        jetstream, last = self._connection.jetstream(), 0
        for subject in self._filters:
            try:
                found = await jetstream.get_msg(self._stream.name, subject=subject)
            except NotFoundError:
                continue
            last = max(last, found.seq or 0)
        return last

    async def last(self) -> int:
        """The stream's last sequence, regardless of the filters; it stays when the last message is removed."""
        info = await self._connection.jetstream().stream_info(self._stream.name)
        return int(info.state.last_seq)

    async def follow(self, after: int) -> AsyncGenerator[MessageBatch, None]:
        """Batches of messages above sequence `after`, without end; an empty batch when nothing is new."""
        following = self._follow_pages(after) if self._interval else self._follow_announcements(after)
        async with aclosing(following) as batches:
            async for batch in batches:
                yield batch

    async def _follow_pages(self, after: int) -> AsyncGenerator[MessageBatch, None]:
        while True:
            raise_if_cancelled()
            page = await self._page(after) or MessagePage([], 0)
            if page.records:
                after = page.records[-1].sequence
            if (batch := self._batch(page)) is not None:
                yield batch
            if not page.pending:
                await asyncio.sleep(self._interval)

    async def _follow_announcements(self, after: int) -> AsyncGenerator[MessageBatch, None]:
        announced = Announcements(self._stream.name, _pattern(map(stored, self._filters)))
        subscription = await self._connection.subscribe_raw(stored(self._whole), announced.receive)
        self._connection.add_reconnect_listener(announced.interrupt)
        try:
            idle = False
            while True:
                news = False
                async with aclosing(self._pages(after, announced)) as pages:
                    async for page in pages:
                        if page.records:
                            after, news = page.records[-1].sequence, True
                        if (batch := self._batch(page)) is not None:
                            yield batch
                timeout = IDLE_TIMEOUT if idle and not news else SETTLE_TIMEOUT
                while True:
                    found, after, idle = await self._announced(after, announced, timeout)
                    if not found:
                        break
                    timeout = IDLE_TIMEOUT
                    yield MessageBatch([_record(one) for one in found], 0)
        finally:
            self._connection.remove_reconnect_listener(announced.interrupt)
            if not self._connection.is_closed:
                await self._connection.unsubscribe_raw(subscription)

    def _batch(self, page: MessagePage) -> MessageBatch | None:
        """The wanted messages of a page; an empty batch for an empty page, None if the page has others only."""
        wanted = [record for record in page.records if self._wanted.fullmatch(record.subject)]
        return MessageBatch(wanted or (), page.pending) if wanted or not page.records else None

    async def _pages(self, after: int, announced: Announcements) -> AsyncGenerator[MessagePage, None]:
        """Pages of the whole stream until everything behind them can be taken from the announcements."""
        now, missing_since = asyncio.get_running_loop().time, None
        while True:
            raise_if_cancelled()
            page = await self._page(after)
            if page is None:
                yield MessagePage([], 0)
                await announced.wait(RETRY_INTERVAL)
                continue
            if page.records:
                after, missing_since = page.records[-1].sequence, None
            complete = not page.pending and not announced.lacks(after)
            if page.records or complete:
                yield page
            if complete:
                return
            if page.records:
                continue
            # What was announced is not there: the replica that answered lags behind, or the message was removed.
            missing_since = now() if missing_since is None else missing_since
            if now() - missing_since > ANNOUNCEMENT_TIMEOUT:
                announced.forget()
            await asyncio.sleep(REPLICA_LAG_INTERVAL)

    async def _announced(
        self, after: int, announced: Announcements, timeout: float
    ) -> tuple[Sequence[Announcement], int, bool]:
        """What was announced next, and the position behind it. Nothing: a page is needed, because a message is missing
        or (True) nothing was heard for `timeout` seconds."""
        waited = False
        while True:
            raise_if_cancelled()
            found, reached = announced.take(after, self._limit)
            heard, after = reached > after, reached
            if found or announced.has_gap(after):
                return found, after, False
            if waited and not heard:
                return (), after, True
            await announced.wait(timeout)
            waited = True

    async def _page(self, after: int) -> MessagePage | None:
        try:
            return await fetch_page(
                self._connection,
                self._stream.name,
                EVERYTHING,
                after,
                limit=self._limit,
                timeout=SILENCE_TIMEOUT,
            )
        except nats.errors.ConnectionClosedError:
            raise
        except (nats.errors.Error, OSError) as error:
            log.warning("feed.no_answer", stream=self._stream.name, error=type(error).__name__)
            return None


def _record(announced: Announcement) -> StoredMessage:
    return StoredMessage(announced.subject, announced.last, HeaderLines(announced.head), announced.body)


def _pattern(filters: Iterable[str]) -> re.Pattern[str]:
    """Matches the subjects that one of the filters selects."""
    tokens = {"*": r"[^.]+", ">": ".+"}
    patterns = (
        r"\.".join(tokens.get(token, re.escape(token)) for token in subject.split(".")) for subject in filters
    )
    return re.compile("|".join(patterns))
