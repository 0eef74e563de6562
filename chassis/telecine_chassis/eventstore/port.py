"""The event store port: load an aggregate, and append to it at an expected version.

StoreError
├── Conflict            another writer appended first: load and decide again
├── AppendRejected      the store will never accept this event (too large, not allowed)
├── Unavailable         unknown outcome: the event may have been stored, or may still be
├── UnsupportedEvent    the aggregate has an event of a newer version: upgrade before deciding
├── UnreadableMessage   the aggregate has a message that is not an event: skip it before deciding
└── NotSkippable        the message that was to be skipped is an event, or may be one
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from pydantic import ConfigDict

from telecine_contracts import Envelope, Event, UnknownEvent
from telecine_contracts.subjects import stream_of


class StoreError(Exception):
    """An error of the event store."""


class Conflict(StoreError):
    """The aggregate is not at the expected version."""


class AppendRejected(StoreError):
    """The event was not stored and never will be: too large, not allowed, or its id belongs to another event."""


class Unavailable(StoreError):
    """The store did not reply. An append that ended so may still be stored later."""


class UnsupportedEvent(StoreError):
    """The aggregate has an event that this version does not know and on which its decisions may depend."""


class UnreadableMessage(StoreError):
    """The aggregate has a message that no version can decode."""


class NotSkippable(StoreError):
    """A message cannot be skipped: it does not exist, or can be decoded, or a newer version may be able to."""


class UndecodedEvent(Event):
    """Placeholder for a message that could not be decoded, with the `error` that says why.

    `name` is the type in its headers, "" without one. `sha256` is that of its body, in hexadecimal digits.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    type: ClassVar[str] = "unread"

    name: str
    subject: str
    error: LookupError | ValueError
    sha256: str = ""

    @property
    def stream(self) -> str:  # type: ignore[override]
        """The stream that its subject belongs to."""
        return stream_of(self.subject)

    @property
    def is_unknown(self) -> bool:
        """Whether it is an event of a type or version that this program does not know."""
        return isinstance(self.error, UnknownEvent)

    @property
    def about(self) -> dict[str, str]:
        """The account and the generation that its subject names."""
        names = ("account", "generation")
        return dict(zip(names, self.subject.split(".")[1:-1], strict=False))


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A stored event. `sequence` is its sequence in the stream, and the version of the aggregate after it."""

    event: Event
    envelope: Envelope
    sequence: int


class EventStore(Protocol):
    """Aggregates are named by the subject filter that selects their events, e.g. ``ledger.<account>.*``."""

    async def load(
        self, aggregate: str, *, after: int = 0, include_undecoded: bool = False, confirmed: bool = True
    ) -> Sequence[RecordedEvent]:
        """The events of the aggregate above stream sequence `after`, in order.

        Sees every append that was acknowledged before the call, unless `confirmed` is False: then the reply is cheaper,
        and may end earlier. With `include_undecoded`, messages that cannot be
        decoded come as UndecodedEvent; without it, BadEnvelope, BadEvent or UnknownEvent is raised. Raises Unavailable.
        """
        ...

    async def append(self, event: Event, envelope: Envelope, *, aggregate: str, expected: int) -> int:
        """Store the event if the aggregate's last sequence is still `expected` (0: has no event); its new sequence.

        Raises Conflict, Unavailable or AppendRejected. After Conflict or Unavailable the caller must load again: an
        earlier attempt with the same envelope id may have been stored.
        """
        ...
