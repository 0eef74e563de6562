"""Read a stream in order from any sequence on, for ever: the source of every projection."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

import nats.errors
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from telecine_contracts.streams import Stream

from .cancellation import heed_cancellation
from .records import Record, from_delivery

__all__ = ["Batch", "Feed"]

HEARTBEAT = 0.5
"""Seconds. A lost consumer is noticed after a few of these; with the client's default it would take 20 s."""
IDLE = 0.5
"""Seconds after which an empty batch says that nothing new came."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in stream order, none missing between two batches. `pending`: how many more the server has now."""

    records: Sequence[Record]
    pending: int


class Feed:
    """An ordered consumer: gap-free and without duplicates, made anew by the client when it is lost."""

    def __init__(
        self,
        connection: Client,
        stream: Stream,
        *,
        filters: Sequence[str] = (),
        limit: int = 500,
    ) -> None:
        """`filters` narrow the stream; a batch has at most `limit` records."""
        self._connection = connection
        self._stream = stream
        self._filters = list(filters or stream.subjects)
        self._limit = limit

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

    async def follow(self, after: int) -> AsyncGenerator[Batch, None]:
        """Everything behind sequence `after`, in batches of up to `limit`; an empty batch when nothing is new."""
        jetstream = self._connection.jetstream()
        subscription = await jetstream.subscribe(
            self._filters[0],
            stream=self._stream.name,
            ordered_consumer=True,
            config=ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=after + 1,
                filter_subjects=self._filters if len(self._filters) > 1 else None,
            ),
            idle_heartbeat=HEARTBEAT,
        )
        try:
            while True:
                heed_cancellation()
                try:
                    messages = [await subscription.next_msg(timeout=IDLE)]
                except nats.errors.TimeoutError:
                    yield Batch((), 0)
                    continue
                while subscription.pending_msgs and len(messages) < self._limit:
                    messages.append(await subscription.next_msg(timeout=IDLE))
                heed_cancellation()
                pending = messages[-1].metadata.num_pending or 0
                yield Batch([from_delivery(message) for message in messages], pending)
        finally:
            if not self._connection.is_closed:
                await subscription.unsubscribe()
