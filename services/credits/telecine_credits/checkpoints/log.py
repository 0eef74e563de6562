"""The CHECKPOINTS stream: reads the last checkpoint and appends the next one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import nats.errors
from nats.aio.client import Client
from nats.js.errors import APIError, NotFoundError

from telecine_chassis.eventstore.messages import decode
from telecine_chassis.eventstore.port import EventStore, RecordedEvent, Unavailable
from telecine_contracts import BadEnvelope, BadEvent, Envelope, Registry, UnknownEvent, derive_id, subjects
from telecine_contracts.checkpoints import CheckpointSigned
from telecine_contracts.signed_note import BadNote, Checkpoint, Note
from telecine_jetstream.messages import from_stored

from .errors import UnreadableCheckpoint

__all__ = ["CheckpointLog", "PublishedCheckpoint"]

LOG = "ledger"
AGGREGATE = subjects.checkpoints(LOG)
SOURCE = "telecine/credits"


@dataclass(frozen=True, slots=True)
class PublishedCheckpoint:
    """A checkpoint in the stream. `version` is its sequence, `at` when it was signed."""

    checkpoint: Checkpoint
    note: str
    at: datetime
    version: int


class CheckpointLog:
    """Checkpoints of the ledger, each larger than the one before."""

    def __init__(
        self, connection: Client, store: EventStore, registry: Registry, *, clock: Callable[[], datetime]
    ) -> None:
        self._connection = connection
        self._store = store
        self._registry = registry
        self._clock = clock

    async def last(self) -> PublishedCheckpoint | None:
        """The last checkpoint; None if there is none. Raises UnreadableCheckpoint or Unavailable."""
        try:
            found = await self._connection.jetstream().get_msg(CheckpointSigned.stream, subject=AGGREGATE)
        except NotFoundError:
            return None
        except (nats.errors.Error, TimeoutError, OSError, APIError) as error:
            raise Unavailable(f"could not read {AGGREGATE}: {type(error).__name__}") from error
        try:
            return _published(decode(from_stored(found), self._registry))
        except (BadEnvelope, BadEvent, UnknownEvent, BadNote) as error:
            raise UnreadableCheckpoint(f"message {found.seq} of {CheckpointSigned.stream}: {error}") from None

    async def publish(
        self, checkpoint: Checkpoint, note: Note, *, previous: PublishedCheckpoint | None
    ) -> PublishedCheckpoint:
        """Append a checkpoint. Raises as EventStore.append does: Conflict if `previous` is no longer the last one."""
        event = CheckpointSigned(
            log=LOG, size=checkpoint.size, root=checkpoint.text.split("\n")[2], note=str(note)
        )
        cause = derive_id(checkpoint.origin, str(checkpoint.size))
        envelope = Envelope(
            id=derive_id(cause, event.type),
            source=SOURCE,
            type=event.type,
            time=self._clock(),
            subject=subjects.of_event(event),
            correlation=cause,
            causation=cause,
        )
        expected = previous.version if previous else 0
        version = await self._store.append(event, envelope, aggregate=AGGREGATE, expected=expected)
        return _published(RecordedEvent(event, envelope, version))


def _published(recorded: RecordedEvent) -> PublishedCheckpoint:
    event = recorded.event
    if not isinstance(event, CheckpointSigned):
        raise BadEvent(f"{event.type} is not a checkpoint")
    checkpoint = Checkpoint.of(Note.of(event.note).text)
    return PublishedCheckpoint(checkpoint, event.note, recorded.envelope.time, recorded.sequence)
