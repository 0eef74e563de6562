"""Dead letters: messages that could not be processed, kept until an operator replays or dismisses them.

There is one letter per message and consumer: all failures of a message are on one subject. A letter that was replayed
or dismissed moves to the subjects of resolved letters, with the reason.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from nats.aio.client import Client
from nats.js.errors import NotFoundError
from prometheus_client import Counter
from pydantic import BaseModel, ConfigDict, Field

from telecine_contracts.streams import DEADLETTERS, Consumer
from telecine_contracts.subjects import RESOLVED, dead_letter, timer_due
from telecine_jetstream.messages import StoredMessage

__all__ = ["DeadLetter", "DeadLetters", "Resolution", "failures_before"]

HEADROOM = 1024
"""Bytes left for headers that the client adds; the server counts them against its maximum payload."""


class Resolution(StrEnum):
    """How an operator resolved a letter."""

    REPLAYED = "replayed"
    DISMISSED = "dismissed"


class DeadLetter(BaseModel):
    """One message that could not be processed: its place in its stream, its content and the error.

    `tries` counts deliveries before the last failure, `failures` how often it was given up, replays included.
    `shortened`: headers and body did not fit and were left out; the message is still in its stream. `copies`: the
    letter's sequences in DEADLETTERS, of which `id` is the newest. `resolution`, `reason` and `resolved_at`: how and
    when an operator resolved it.
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
    failures: int = 1
    shortened: bool = False
    resolution: Resolution | None = None
    reason: str | None = None
    resolved_at: datetime | None = None
    id: int = 0
    kept_at: datetime | None = None
    copies: tuple[int, ...] = Field(default=(), exclude=True)

    @property
    def place(self) -> tuple[str, ...]:
        """Identifies the message among those of its consumer; a timer is identified by its subject."""
        if self.stream == "TIMERS":
            return (self.stream, *self.subject.split(".")[3:])
        return self.stream, str(self.sequence)


class DeadLetters:
    """The DEADLETTERS stream. Raises NATS errors: a message whose letter is not stored must not be acknowledged."""

    def __init__(self, connection: Client, kept: Counter | None = None) -> None:
        """`kept` counts the letters that are stored, by consumer."""
        self._connection = connection
        self._kept = kept
        self._jetstream = connection.jetstream(timeout=5)

    async def keep(
        self,
        service: str,
        consumer: Consumer,
        record: StoredMessage,
        error: Exception,
        tries: int,
        *,
        failures: int = 1,
    ) -> None:
        """Store a message with the error that its handler raised."""
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
            failures=failures,
        )
        await self._publish(dead_letter(service, consumer.name, *letter.place), letter)
        if self._kept is not None:
            self._kept.labels(consumer.name).inc()

    async def list(self, *, resolved: bool = False) -> "list[DeadLetter]":
        """Every unresolved letter, or those that were `resolved`; oldest first."""
        letters: dict[Any, DeadLetter] = {}
        state = (await self._jetstream.stream_info(DEADLETTERS.name)).state
        sequence = state.first_seq
        while sequence <= state.last_seq:
            try:
                found = await self._jetstream.get_msg(
                    DEADLETTERS.name, seq=sequence, subject="deadletters.*.>", next=True
                )
            except NotFoundError:
                break
            letter = _read(found)
            sequence = letter.id + 1
            if (letter.resolution is not None) is not resolved:
                continue
            key = letter.id if resolved else (letter.service, letter.consumer, letter.place)
            before = letters.pop(key, None)
            letters[key] = letter if before is None else _joined(before, letter)
        return list(letters.values())

    async def count(self, service: str) -> Mapping[str, int]:
        """The number of unresolved letters of the service by consumer; consumers without letters are left out."""
        info = await self._jetstream.stream_info(DEADLETTERS.name, subjects_filter=f"deadletters.{service}.>")
        letters: dict[str, int] = {}
        for subject, number in (info.state.subjects or {}).items():
            _, _, consumer, *place = subject.split(".")
            # Letters from before 0.2 do not name a message: all letters of a consumer are on one subject.
            letters[consumer] = letters.get(consumer, 0) + (1 if place else number)
        return letters

    async def get(self, id: int) -> DeadLetter:
        """One letter, by any of its sequences. Raises nats' NotFoundError."""
        for letter in await self.list():
            if id in letter.copies:
                return letter
        raise NotFoundError

    async def replay(self, letter: DeadLetter) -> None:
        """Have the message processed again by the consumer that gave it up.

        If it fails again, it becomes a dead letter again with one more failure. The event itself is never republished.
        """
        if letter.stream == "TIMERS":
            await self._jetstream.publish(letter.subject, base64.b64decode(letter.body), stream="TIMERS")
        else:
            target = timer_due(letter.service, "replay", letter.consumer, str(letter.sequence))
            before = json.dumps({"failures": letter.failures}).encode()
            await self._jetstream.publish(target, before, stream="TIMERS")
        await self._resolve(letter, Resolution.REPLAYED, None)

    async def dismiss(self, letter: DeadLetter, reason: str) -> None:
        """Give the message up permanently; `reason` says why."""
        await self._resolve(letter, Resolution.DISMISSED, reason)

    async def _resolve(self, letter: DeadLetter, resolution: Resolution, reason: str | None) -> None:
        # The resolution is recorded before the letter is deleted: after a failure in between, the letter is still
        # there and can be resolved again.
        update = {"resolution": resolution, "reason": reason, "resolved_at": datetime.now(UTC)}
        subject = dead_letter(RESOLVED, letter.consumer, *letter.place)
        await self._publish(subject, letter.model_copy(update=update))
        for copy in letter.copies:
            await self._jetstream.delete_msg(DEADLETTERS.name, copy)

    async def _publish(self, subject: str, letter: DeadLetter) -> None:
        body = _write(letter)
        if len(body) > self._connection.max_payload - HEADROOM:
            body = _write(letter.model_copy(update={"headers": {}, "body": "", "shortened": True}))
        await self._jetstream.publish(subject, body, stream=DEADLETTERS.name)


def failures_before(replay: bytes) -> int:
    """How often a message had failed before its replay; `replay` is the data of the replay timer."""
    try:
        failures = json.loads(replay)["failures"]
    except (ValueError, KeyError, TypeError):
        return 1
    return failures if isinstance(failures, int) else 1


def _write(letter: DeadLetter) -> bytes:
    return letter.model_dump_json(exclude={"id", "kept_at"}, exclude_none=True).encode()


def _read(found: Any) -> DeadLetter:
    letter = DeadLetter.model_validate_json(found.data)
    return letter.model_copy(update={"id": found.seq, "kept_at": found.time, "copies": (found.seq,)})


def _joined(before: DeadLetter, later: DeadLetter) -> DeadLetter:
    failures, copies = before.failures + later.failures, (*before.copies, *later.copies)
    return later.model_copy(update={"failures": failures, "copies": copies})
