"""The event store on NATS JetStream: optimistic concurrency over the subject filter of an aggregate."""

import asyncio
import json
from collections.abc import Sequence

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from telecine_contracts import Envelope, Event, Registry, encode
from telecine_contracts.subjects import of_event, stream_of
from telecine_jetstream.client import NatsClient
from telecine_jetstream.direct_get import MessagePage, fetch_page
from telecine_jetstream.errors import PermissionDenied
from telecine_jetstream.messages import StoredMessage, from_stored
from telecine_jetstream.publishing import EXPECTED_STREAM, Acknowledgement, publish_stored, wire_size

from .messages import decode, decode_or_undecoded
from .port import AppendRejected, Conflict, RecordedEvent, Unavailable

__all__ = ["JetStreamEventStore"]

_EXPECTED = b"Nats-Expected-Last-Subject-Sequence: %d\r\nNats-Expected-Last-Subject-Sequence-Subject: %b\r\n"
CONFLICT_CODES = {10071, 10164, 10201}
"""Server error codes: wrong last sequence, the same while another append is in progress, duplicate within a batch."""
DUPLICATE_IN_PROGRESS = 10158
"""In a cluster: an earlier message with this id is being replicated, and its outcome is not known yet."""
RETRY_INTERVAL = 0.05
"""Seconds until the append is sent again to learn that outcome."""
TOO_MANY_REQUESTS = 429
NO_MESSAGE = 10037
"""Server error code: no message on this subject."""
PAGE_SIZE = 500
"""Messages per batched direct get."""


class JetStreamEventStore:
    """The server acknowledges an append after it is on disk. `timeout` is in seconds, per call."""

    def __init__(self, connection: NatsClient, registry: Registry, *, timeout: float = 5) -> None:
        self._connection = connection
        self._jetstream: JetStreamContext = connection.jetstream(timeout=timeout)
        self._registry = registry
        self._timeout = timeout

    async def append(self, event: Event, envelope: Envelope, *, aggregate: str, expected: int) -> int:
        head = envelope.to_lines() + _EXPECTED % (expected, aggregate.encode())
        body = encode(event)
        if wire_size(head + EXPECTED_STREAM + event.stream.encode(), body) > self._connection.max_payload:
            raise AppendRejected(f"{event.type} is larger than the server's maximum payload")
        try:
            ack = await self._publish(event, body, head)
        except APIError as error:
            if error.err_code in CONFLICT_CODES:
                raise Conflict(aggregate) from None
            if error.code is not None and 400 <= error.code < 500 and error.code != TOO_MANY_REQUESTS:
                raise AppendRejected(f"the event store rejected {event.type}: {error.description}") from None
            raise Unavailable(f"the event store could not store {event.type}: {error.description}") from error
        except PermissionDenied as error:
            raise AppendRejected(f"{event.type}: {error}") from error
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(
                f"no reply from the event store for {event.type}: {type(error).__name__}"
            ) from error
        if ack.duplicate:
            await self._explain_duplicate(event, ack.sequence, expected)
            raise Conflict(aggregate)
        return ack.sequence

    async def _publish(self, event: Event, body: bytes, head: bytes) -> Acknowledgement:
        """Publish, and again while an earlier attempt with the same event is in progress."""
        give_up = asyncio.get_running_loop().time() + self._timeout
        while True:
            try:
                return await publish_stored(
                    self._connection, of_event(event), body, head, stream=event.stream, timeout=self._timeout
                )
            except APIError as error:
                if error.err_code != DUPLICATE_IN_PROGRESS:
                    raise
            if asyncio.get_running_loop().time() > give_up:
                raise nats.errors.TimeoutError
            await asyncio.sleep(RETRY_INTERVAL)

    async def _explain_duplicate(self, event: Event, sequence: int, expected: int) -> None:
        """Raise AppendRejected unless the duplicate is our own earlier attempt."""
        # A cluster checks for duplicates before it checks the expected version.
        try:
            found = await self._jetstream.get_msg(event.stream, seq=sequence)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(f"no reply about event {sequence}: {type(error).__name__}") from error
        if sequence <= expected or found.subject != of_event(event):
            raise AppendRejected(f"the id of this {event.type} belongs to event {sequence}")

    async def load(
        self, aggregate: str, *, after: int = 0, include_undecoded: bool = False, confirmed: bool = True
    ) -> Sequence[RecordedEvent]:
        try:
            last = await self._last(aggregate) if confirmed else 0
            if confirmed and last <= after:
                return []
            first = await self._page(aggregate, after)
            records, more = first.records, first.pending
            while more:
                following = await self._page(aggregate, records[-1].sequence)
                records, more = records + following.records, following.pending
            end = records[-1].sequence if records else after
            if last > end:
                records += await self._tail(aggregate, end)
        except (nats.errors.Error, TimeoutError, OSError) as error:
            raise Unavailable(f"could not read {aggregate}: {type(error).__name__}") from error
        return [
            (decode_or_undecoded if include_undecoded else decode)(record, self._registry)
            for record in records
        ]

    async def _last(self, aggregate: str) -> int:
        """The aggregate's last sequence according to the stream's leader; 0 if it has no event."""
        request = json.dumps({"last_by_subj": aggregate}).encode()
        subject = f"$JS.API.STREAM.MSG.GET.{stream_of(aggregate)}"
        found = json.loads(await self._connection.request_raw(subject, request, timeout=self._timeout))
        error = found.get("error")
        if error is None:
            return int(found["message"]["seq"])
        if error.get("err_code") == NO_MESSAGE:
            return 0
        raise APIError.from_error(error)

    async def _tail(self, aggregate: str, after: int) -> list[StoredMessage]:
        """What the stream's leader has above `after`: the replica that answered direct gets may lag behind it."""
        records: list[StoredMessage] = []
        stream = stream_of(aggregate)
        while True:
            try:
                found = await self._jetstream.get_msg(stream, seq=after + 1, subject=aggregate, next=True)
            except NotFoundError:
                return records
            records.append(from_stored(found))
            after = records[-1].sequence

    async def _page(self, aggregate: str, after: int) -> MessagePage:
        return await fetch_page(
            self._connection, stream_of(aggregate), aggregate, after, limit=PAGE_SIZE, timeout=self._timeout
        )
