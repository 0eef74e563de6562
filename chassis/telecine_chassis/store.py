"""The event store port: load an aggregate, append to it at the version that was decided on.

StoreError
├── Conflict      somebody else's event came first: fold again and decide again
├── Refused       the store will never take this event (too large, not allowed)
└── Unavailable   nothing is known: the event may or may not have been stored, now or later
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from telecine_contracts import Envelope, Event


class StoreError(Exception):
    """Something went wrong with the event store."""


class Conflict(StoreError):
    """The aggregate is not at the expected version."""


class Refused(StoreError):
    """The event was not stored and never will be."""


class Unavailable(StoreError):
    """The store gave no answer. A publish that ended so may still land later."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as it stands in its stream. `sequence` is the stream's, and the version of the aggregate after it."""

    event: Event
    envelope: Envelope
    sequence: int


class EventStore(Protocol):
    """Aggregates are named by the subject filter that selects their events, e.g. ``ledger.<account>.*``."""

    async def load(self, aggregate: str, *, after: int = 0) -> Sequence[Recorded]:
        """Every event of the aggregate behind stream sequence `after`, in order; empty if there is none.

        Sees every append that was acknowledged before the call. Raises Unavailable.
        """
        ...

    async def append(self, event: Event, envelope: Envelope, *, aggregate: str, expected: int) -> int:
        """Store the event if the aggregate's last sequence is still `expected` (0: has no event); its new sequence.

        Raises Conflict, Unavailable, or Refused: too large, not allowed, or the envelope's id belongs to an event that
        was there before. After Conflict or Unavailable the caller must read back: an earlier try with the same envelope
        id may have been stored.
        """
        ...
