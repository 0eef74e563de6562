"""Read a stream in order from any sequence on, for ever: the source of every projection.

Pages of stored messages are asked for (direct get); the server's announcement that a message was stored says when to
ask again. No consumer is made: a right to make one would also be a right to alter everybody else's.
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
"""Seconds after which an empty batch says that nothing new came, and after which a lost announcement is made up for."""
SILENCE_TIMEOUT = 2
"""Seconds without an answer after which a page is asked for again."""
REPLICA_LAG_INTERVAL = 0.01
"""Seconds between two questions while a replica has not yet got what was announced."""
ANNOUNCEMENT_TIMEOUT = 5
"""Seconds for which an announced message is asked for without pause; it may have been removed since."""


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """Records in stream order, none missing between two batches. `pending`: how many more the server has now."""

    records: Sequence[StoredMessage]
    pending: int


class CatchUpSubscription:
    """Everything that `filters` select (none: the whole stream), gap-free and without duplicates."""

    def __init__(
        self,
        connection: NatsClient,
        stream: Stream,
        *,
        filters: Sequence[str] = (),
        limit: int = 500,
    ) -> None:
        """A batch has at most `limit` records."""
        self._connection = connection
        self._stream = stream
        self._filters = list(filters or stream.subjects)
        self._limit = limit
        # Pages of several filters, asked for one after the other, would not fit together: all is asked for.
        [whole] = stream.subjects
        self._asked = self._filters[0] if len(self._filters) == 1 else whole
        self._wanted = [pattern.split(".") for pattern in self._filters]

    async def head(self) -> int:
        """The sequence of the last record that will come, as things stand; 0 if there is none."""
        jetstream, last = self._connection.jetstream(), 0
        for subject in self._filters:
            try:
                found = await jetstream.get_msg(self._stream.name, subject=subject)
            except NotFoundError:
                continue
            last = max(last, found.seq or 0)
        return last

    async def last(self) -> int:
        """The stream's last sequence, whatever the filters; it stays when the last record is removed."""
        info = await self._connection.jetstream().stream_info(self._stream.name)
        return int(info.state.last_seq)

    async def follow(self, after: int) -> AsyncGenerator[MessageBatch, None]:
        """Everything behind sequence `after`, in batches of up to `limit`; an empty batch when nothing is new."""
        bell = _Announcements()
        announcements = await self._connection.subscribe(stored(self._asked), cb=bell.ring)
        try:
            while True:
                raise_if_cancelled()
                bell.heard.clear()
                found = await self._page(after)
                if found.records:
                    after = found.records[-1].sequence
                    wanted = [record for record in found.records if self._is_wanted(record)]
                    if wanted:
                        yield MessageBatch(wanted, found.pending)
                elif not await bell.wait_for_news(after):
                    yield MessageBatch((), 0)
        finally:
            if not self._connection.is_closed:
                await announcements.unsubscribe()

    async def _page(self, after: int) -> MessagePage:
        try:
            return await fetch_page(
                self._connection,
                self._stream.name,
                self._asked,
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
    """What was announced: the highest sequence, and when."""

    heard: asyncio.Event = field(default_factory=asyncio.Event)
    sequence: int = 0
    at: float = 0

    async def ring(self, message: Msg) -> None:
        self.sequence = int((message.headers or {}).get("Nats-Sequence", 0))
        self.at = asyncio.get_running_loop().time()
        self.heard.set()

    async def wait_for_news(self, after: int) -> bool:
        """Wait until there may be something behind `after`; False when nothing was announced for a while."""
        behind = self.sequence > after and asyncio.get_running_loop().time() - self.at < ANNOUNCEMENT_TIMEOUT
        waiting = asyncio.ensure_future(self.heard.wait())
        try:
            await asyncio.wait([waiting], timeout=REPLICA_LAG_INTERVAL if behind else IDLE_TIMEOUT)
        finally:
            waiting.cancel()
        return behind or self.heard.is_set()
