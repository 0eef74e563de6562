"""The event store port: load an aggregate, append to it at the version that was decided on.

StoreError
├── Conflict        another writer's event came first: fold again and decide again
├── Refused         the store will never take this event (too large, not allowed)
├── Unavailable     nothing is known: the event may or may not have been stored, now or later
├── UnsupportedEvent   the aggregate holds an event of a newer version: nothing is decided until this one is upgraded
├── Unreadable      the aggregate holds a message that is no event: nothing is decided until it is passed over
└── NotSkippable     the message that was to be passed over is not one that may be
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from pydantic import ConfigDict

from telecine_contracts import Envelope, Event, UnknownEvent
from telecine_contracts.subjects import stream_of


class StoreError(Exception):
    """Something went wrong with the event store."""


class Conflict(StoreError):
    """The aggregate is not at the expected version."""


class AppendRejected(StoreError):
    """The event was not stored and never will be."""


class Unavailable(StoreError):
    """The store gave no answer. A publish that ended so may still land later."""


class UnsupportedEvent(StoreError):
    """The aggregate holds an event that this version does not know, and on which its decisions may depend."""


class UnreadableMessage(StoreError):
    """The aggregate holds a message that no version can read."""


class NotSkippable(StoreError):
    """A message cannot be passed over: there is none of that sequence, or it can be read, or a newer version may."""


class UndecodedEvent(Event):
    """What stands in for a message that could not be read, with the `error` that says why.

    `name` is the type that its headers give; "" if they give none. `sha256` is of its body, in hexadecimal digits.
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
        """Whether it is an event, of a type or version that this program does not know."""
        return isinstance(self.error, UnknownEvent)

    @property
    def about(self) -> dict[str, str]:
        """The account and the generation that its subject names."""
        names = ("account", "generation")
        return dict(zip(names, self.subject.split(".")[1:-1], strict=False))


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as it stands in its stream. `sequence` is the stream's, and the version of the aggregate after it."""

    event: Event
    envelope: Envelope
    sequence: int


class EventStore(Protocol):
    """Aggregates are named by the subject filter that selects their events, e.g. ``ledger.<account>.*``."""

    async def load(
        self, aggregate: str, *, after: int = 0, include_undecoded: bool = False
    ) -> Sequence[RecordedEvent]:
        """Every event of the aggregate behind stream sequence `after`, in order; empty if there is none.

        Sees every append that was acknowledged before the call. With `include_undecoded`, messages that cannot be
        decoded come as UndecodedEvent; without it, BadEnvelope, BadEvent or UnknownEvent is raised. Raises Unavailable.
        """
        ...

    async def append(self, event: Event, envelope: Envelope, *, aggregate: str, expected: int) -> int:
        """Store the event if the aggregate's last sequence is still `expected` (0: has no event); its new sequence.

        Raises Conflict, Unavailable, or Refused: too large, not allowed, or the envelope's id belongs to an event that
        was there before. After Conflict or Unavailable the caller must read back: an earlier try with the same envelope
        id may have been stored.
        """
        ...
