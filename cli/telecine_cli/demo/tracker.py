"""Generations followed through their events, for the demonstration. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from telecine_chassis.eventstore.port import RecordedEvent, UndecodedEvent
from telecine_contracts.credits import (
    CreditsDebited,
    CreditsDenied,
    CreditsRefunded,
    CreditsSettled,
    LedgerEvent,
)
from telecine_contracts.gateway import Kind
from telecine_contracts.generation import GenerationCancelled, GenerationFailed
from telecine_contracts.storage import VideoStorageFailed, VideoStored

__all__ = ["GenerationTracker", "TrackedGeneration"]


@dataclass
class TrackedGeneration:
    """One generation's way so far."""

    generation: str
    kind: Kind
    events: list[RecordedEvent] = field(default_factory=list)

    @property
    def last(self) -> RecordedEvent | None:
        """The newest event."""
        return self.events[-1] if self.events else None

    @property
    def over(self) -> bool:
        """Whether its credits are spent, given back or denied, and the event that caused this has been seen.

        VIDEO and LEDGER arrive independently of each other: the end of the hold may come before the video's.
        """
        seen = {recorded.envelope.id for recorded in self.events}
        ends = (
            e for e in self.events if isinstance(e.event, CreditsSettled | CreditsRefunded | CreditsDenied)
        )
        return any(end.envelope.causation is None or end.envelope.causation in seen for end in ends)

    @property
    def stored(self) -> VideoStored | None:
        """Where the video went, if it is stored."""
        return next((e.event for e in self.events if isinstance(e.event, VideoStored)), None)

    @property
    def failure(self) -> str | None:
        """Why there is no video, if there is none."""
        for recorded in self.events:
            match recorded.event:
                case GenerationFailed() | VideoStorageFailed() as event:
                    return event.message
                case CreditsDenied() as event:
                    return f"{event.reason.value}: needs {event.needed} credits, has {event.available}"
                case GenerationCancelled():
                    return "it was cancelled"
                case _:
                    continue
        return None

    @property
    def cost(self) -> int:
        """Credits held for it or spent on it; what was given back costs nothing."""
        amounts = {type(e.event): e.event.amount for e in self.events if isinstance(e.event, CreditsDebited)}
        refunded = any(isinstance(e.event, CreditsRefunded) for e in self.events)
        return 0 if refunded else sum(amounts.values())


@dataclass
class GenerationTracker:
    """The generations of one account, and its ledger."""

    account: str
    by_id: dict[str, TrackedGeneration] = field(default_factory=dict)
    ledger: list[RecordedEvent] = field(default_factory=list)
    _early: dict[str, list[RecordedEvent]] = field(default_factory=dict)

    def begin(self, generation: str, kind: Kind) -> TrackedGeneration:
        """Follow a generation from now on; its first events may have come before its id was known."""
        journey = TrackedGeneration(generation, kind, self._early.pop(generation, []))
        self.by_id[generation] = journey
        return journey

    def add(self, recorded: RecordedEvent) -> bool:
        """Take one event of any stream; whether it is of this account."""
        about = recorded.event.about
        if about.get("account") != self.account or isinstance(recorded.event, UndecodedEvent):
            return False
        if isinstance(recorded.event, LedgerEvent):
            self.ledger.append(recorded)
        if generation := about.get("generation"):
            journey = self.by_id.get(generation)
            (journey.events if journey else self._early.setdefault(generation, [])).append(recorded)
        return True

    def over(self) -> bool:
        """Whether every generation that is followed has come to its end."""
        return all(journey.over for journey in self.by_id.values())

    def all(self) -> Iterable[TrackedGeneration]:
        """In the order in which they were begun."""
        return self.by_id.values()
