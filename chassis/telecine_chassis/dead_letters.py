"""Messages that a handler could not take, kept with their error until somebody has looked at them."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nats.aio.client import Client
from nats.js.errors import NotFoundError
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict

from telecine_contracts.streams import DEADLETTERS, Consumer
from telecine_contracts.subjects import dead_letter, timer_due

from .records import Record

__all__ = ["DeadLetter", "DeadLetters"]

ROOM = 1024
"""Bytes left for what the client adds to a letter; the server counts them against its largest payload."""


class DeadLetter(BaseModel):
    """One message that could not be taken: where it stands, what it said, and why it was not taken.

    `shortened`: headers and body did not fit and were left out; the message still stands in its stream.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    service: str
    consumer: str
    stream: str
    sequence: int
    subject: str
    headers: Mapping[str, str]
    body: str
    error_type: str
    error: str
    tries: int
    shortened: bool = False
    id: int = 0
    kept_at: datetime | None = None


class DeadLetters:
    """The DEADLETTERS stream. Errors of NATS pass through: a letter that is not kept must not be acknowledged."""

    def __init__(self, connection: Client, kept: Counter | None = None) -> None:
        """`kept` counts the letters kept here, by consumer."""
        self._connection = connection
        self._kept = kept
        self._jetstream = connection.jetstream(timeout=5)

    async def keep(
        self, service: str, consumer: Consumer, record: Record, error: Exception, tries: int
    ) -> None:
        """Keep a message with the error that its handler raised."""
        letter = DeadLetter(
            service=service,
            consumer=consumer.name,
            stream=consumer.stream,
            sequence=record.sequence,
            subject=record.subject,
            headers=record.headers,
            body=base64.b64encode(record.body).decode(),
            error_type=type(error).__name__,
            error=str(error)[:1000],
            tries=tries,
        )
        body = _write(letter)
        if len(body) > self._connection.max_payload - ROOM:
            body = _write(letter.model_copy(update={"headers": {}, "body": "", "shortened": True}))
        await self._jetstream.publish(dead_letter(service, consumer.name), body, stream=DEADLETTERS.name)
        if self._kept is not None:
            self._kept.labels(consumer.name).inc()

    async def list(self) -> "list[DeadLetter]":
        """Every letter that is kept, oldest first."""
        letters: list[DeadLetter] = []
        state = (await self._jetstream.stream_info(DEADLETTERS.name)).state
        sequence = state.first_seq
        while sequence <= state.last_seq:
            try:
                found = await self._jetstream.get_msg(
                    DEADLETTERS.name, seq=sequence, subject="deadletters.*.*", next=True
                )
            except NotFoundError:
                break
            letters.append(_read(found))
            sequence = letters[-1].id + 1
        return letters

    async def count(self, service: str) -> Mapping[str, int]:
        """How many letters of the service are kept, by consumer; those that have none are not named."""
        info = await self._jetstream.stream_info(DEADLETTERS.name, subjects_filter=f"deadletters.{service}.*")
        subjects = info.state.subjects or {}
        return {subject.rpartition(".")[2]: number for subject, number in subjects.items()}

    async def get(self, id: int) -> DeadLetter:
        """One letter. Raises nats' NotFoundError."""
        return _read(await self._jetstream.get_msg(DEADLETTERS.name, seq=id))

    async def replay(self, letter: DeadLetter) -> None:
        """Have the message handled again by the consumer that gave up on it, and forget the letter.

        If it fails again it is kept again. The event itself is never published a second time.
        """
        if letter.stream == "TIMERS":
            await self._jetstream.publish(letter.subject, base64.b64decode(letter.body), stream="TIMERS")
        else:
            target = timer_due(letter.service, "replay", letter.consumer, str(letter.sequence))
            await self._jetstream.publish(target, b"", stream="TIMERS")
        await self._jetstream.delete_msg(DEADLETTERS.name, letter.id)


def _write(letter: DeadLetter) -> bytes:
    return letter.model_dump_json(exclude={"id", "kept_at"}).encode()


def _read(found: Any) -> DeadLetter:
    letter = DeadLetter.model_validate_json(found.data)
    return letter.model_copy(update={"id": found.seq, "kept_at": found.time})
