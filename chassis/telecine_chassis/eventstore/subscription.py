"""Catch-up subscription: reads a stream in order from any sequence and then follows it; the source of every projection.

It fetches pages by direct get, and again when the server announces that a message was stored. It creates no consumer:
the permission to create one would also allow changing the consumers of other services.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from telecine_chassis.runtime.cancellation import raise_if_cancelled
from telecine_contracts.streams import Stream
from telecine_contracts.subjects import stored
from telecine_jetstream.client import NatsClient
from telecine_jetstream.direct_get import MessagePage, fetch_page
from telecine_jetstream.messages import StoredMessage

__all__ = ["CatchUpSubscription", "MessageBatch"]

log = structlog.get_logger(__name__)
IDLE_TIMEOUT = 0.5
"""Seconds without an announcement until the next page is fetched anyway, since an announcement may be lost."""
SILENCE_TIMEOUT = 2
"""Seconds without a reply after which a page is requested again."""
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
    """The messages that match `filters` (none: the whole stream), without gaps or duplicates."""

    def __init__(
        self,
        connection: NatsClient,
        stream: Stream,
        *,
        filters: Sequence[str] = (),
        limit: int = 500,
    ) -> None:
        """A batch has at most `limit` messages."""
        self._connection = connection
        self._stream = stream
        self._filters = list(filters or stream.subjects)
        self._limit = limit
        # Pages of several filters can't be merged in order without gaps: the whole stream is read and filtered here.
        [whole] = stream.subjects
        self._requested = self._filters[0] if len(self._filters) == 1 else whole
        self._wanted = [pattern.split(".") for pattern in self._filters]

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
        announcements = _Announcements()
        subscription = await self._connection.subscribe(stored(self._requested), cb=announcements.receive)
        try:
            while True:
                raise_if_cancelled()
                announcements.heard.clear()
                found = await self._page(after)
                if found.records:
                    after = found.records[-1].sequence
                    wanted = [record for record in found.records if self._is_wanted(record)]
                    if wanted:
                        yield MessageBatch(wanted, found.pending)
                elif not await announcements.wait_for_news(after):
                    yield MessageBatch((), 0)
        finally:
            if not self._connection.is_closed:
                await subscription.unsubscribe()

    async def _page(self, after: int) -> MessagePage:
        try:
            return await fetch_page(
                self._connection,
                self._stream.name,
                self._requested,
                after,
                limit=self._limit,
                timeout=SILENCE_TIMEOUT,
            )
        except nats.errors.ConnectionClosedError:
            raise
        except (nats.errors.Error, OSError) as error:
            log.warning("feed.no_answer", stream=self._stream.name, error=type(error).__name__)
            return MessagePage([], 0)

    def _is_wanted(self, record: StoredMessage) -> bool:
        return len(self._wanted) == 1 or any(_selects(each, record.subject) for each in self._wanted)


def _selects(pattern: Sequence[str], subject: str) -> bool:
    tokens = subject.split(".")
    return len(tokens) == len(pattern) and all(
        one in ("*", other) for one, other in zip(pattern, tokens, strict=True)
    )


@dataclass(slots=True)
class _Announcements:
    """The last announced sequence, and when it was announced."""

    heard: asyncio.Event = field(default_factory=asyncio.Event)
    sequence: int = 0
    at: float = 0

    async def receive(self, message: Msg) -> None:
        self.sequence = int((message.headers or {}).get("Nats-Sequence", 0))
        self.at = asyncio.get_running_loop().time()
        self.heard.set()

    async def wait_for_news(self, after: int) -> bool:
        """Wait until there may be a message above `after`. False when nothing was announced within IDLE_TIMEOUT."""
        behind = self.sequence > after and asyncio.get_running_loop().time() - self.at < ANNOUNCEMENT_TIMEOUT
        waiting = asyncio.ensure_future(self.heard.wait())
        try:
            await asyncio.wait([waiting], timeout=REPLICA_LAG_INTERVAL if behind else IDLE_TIMEOUT)
        finally:
            waiting.cancel()
        return behind or self.heard.is_set()
