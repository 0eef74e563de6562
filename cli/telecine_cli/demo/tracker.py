"""Tracks the generations of the demo through their events. Pure."""

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
    """One generation and its events so far."""

    generation: str
    kind: Kind
    events: list[RecordedEvent] = field(default_factory=list)

    @property
    def last(self) -> RecordedEvent | None:
        """The newest event."""
        return self.events[-1] if self.events else None

    @property
    def over(self) -> bool:
        """Whether its credits are settled, refunded or denied, and the event that caused this has arrived.

        VIDEO and LEDGER arrive independently of each other: the ledger's entry may arrive before its cause.
        """
        seen = {recorded.envelope.id for recorded in self.events}
        ends = (
            e for e in self.events if isinstance(e.event, CreditsSettled | CreditsRefunded | CreditsDenied)
        )
        return any(end.envelope.causation is None or end.envelope.causation in seen for end in ends)

    @property
    def stored(self) -> VideoStored | None:
        """The event with the stored video, if there is one."""
        return next((e.event for e in self.events if isinstance(e.event, VideoStored)), None)

    @property
    def failure(self) -> str | None:
        """Why there will be no video, if it failed."""
        for recorded in self.events:
            match recorded.event:
                case GenerationFailed() | VideoStorageFailed() as event:
                    return event.message
                case CreditsDenied() as event:
                    return f"{event.reason.value}: {event.needed} credits needed, {event.available} available"
                case GenerationCancelled():
                    return "cancelled"
                case _:
                    continue
        return None

    @property
    def cost(self) -> int:
        """Credits that are held for it or spent on it; 0 after a refund."""
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
        """Track a generation; events that arrived before its id was known are added to it."""
        tracked = TrackedGeneration(generation, kind, self._early.pop(generation, []))
        self.by_id[generation] = tracked
        return tracked

    def add(self, recorded: RecordedEvent) -> bool:
        """Add one event of any stream; returns whether it is of this account."""
        about = recorded.event.about
        if about.get("account") != self.account or isinstance(recorded.event, UndecodedEvent):
            return False
        if isinstance(recorded.event, LedgerEvent):
            self.ledger.append(recorded)
        if generation := about.get("generation"):
            tracked = self.by_id.get(generation)
            (tracked.events if tracked else self._early.setdefault(generation, [])).append(recorded)
        return True

    def over(self) -> bool:
        """Whether every tracked generation has ended."""
        return all(tracked.over for tracked in self.by_id.values())

    def all(self) -> Iterable[TrackedGeneration]:
        """In the order in which tracking began."""
        return self.by_id.values()
