"""In-memory twins of the chassis' ports, which pass the same contract suites as the real ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from telecine_chassis.eventstore.messages import decode, decode_or_undecoded
from telecine_chassis.eventstore.port import AppendRejected, Conflict, RecordedEvent
from telecine_chassis.telemetry.tracing import timer_trace_headers
from telecine_chassis.timers.port import Timer
from telecine_contracts import Envelope, Event, Registry, encode
from telecine_contracts.subjects import of_event, stream_of
from telecine_jetstream.messages import StoredMessage

__all__ = ["InMemoryEventStore", "InMemoryTimers", "ManualClock"]


@dataclass
class ManualClock:
    """A clock that advances only by `advance`."""

    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        """Advance by `seconds`; the new time."""
        self.now += timedelta(seconds=seconds)
        return self.now


@dataclass
class InMemoryEventStore:
    """Keeps encoded messages, so that every loaded event has been encoded and decoded."""

    registry: Registry
    streams: dict[str, list[StoredMessage]] = field(default_factory=dict)
    ids: set[tuple[str, str]] = field(default_factory=set)

    async def load(
        self, aggregate: str, *, after: int = 0, include_undecoded: bool = False, confirmed: bool = True
    ) -> Sequence[RecordedEvent]:
        found = self._select(aggregate)
        news = [record for record in found if record.sequence > after]
        return [
            (decode_or_undecoded if include_undecoded else decode)(record, self.registry) for record in news
        ]

    async def append(self, event: Event, envelope: Envelope, *, aggregate: str, expected: int) -> int:
        found = self._select(aggregate)
        if (found[-1].sequence if found else 0) != expected:
            raise Conflict(aggregate)
        stream = self.streams.setdefault(event.stream, [])
        if (event.stream, envelope.id) in self.ids:
            raise AppendRejected(f"the id of this {event.type} belongs to another event")
        self.ids.add((event.stream, envelope.id))
        stream.append(StoredMessage(of_event(event), len(stream) + 1, envelope.to_headers(), encode(event)))
        return len(stream)

    def _select(self, aggregate: str) -> list[StoredMessage]:
        records = self.streams.get(stream_of(aggregate), [])
        return [record for record in records if fnmatchcase(record.subject, aggregate)]


@dataclass
class InMemoryTimers:
    """Timers that fire into `due` when `advance` passes their time."""

    clock: ManualClock
    waiting: dict[tuple[str, tuple[str, ...]], tuple[datetime, Timer]] = field(default_factory=dict)
    fired: list[Timer] = field(default_factory=list)
    headers: dict[tuple[str, tuple[str, ...]], dict[str, str]] = field(default_factory=dict)

    async def set(self, timer: Timer, at: datetime) -> None:
        self.waiting[timer.kind, timer.key] = (at, timer)
        self.headers[timer.kind, timer.key] = timer_trace_headers()

    async def set_if_absent(self, timer: Timer, at: datetime) -> bool:
        if (timer.kind, timer.key) in self.waiting:
            return False
        await self.set(timer, at)
        return True

    async def bring_forward(self, timer: Timer, at: datetime, *, latest: datetime) -> bool:
        due, waiting = self.waiting.get((timer.kind, timer.key), (latest, timer))
        if due <= latest:
            return False
        await self.set(waiting, at)
        return True

    async def fire(self, timer: Timer) -> None:
        self.fired.append(timer)

    def due(self) -> list[Timer]:
        """Remove and return the timers that are due, in order of time, behind those fired directly."""
        ready = sorted((at, name) for name, (at, _) in self.waiting.items() if at <= self.clock())
        timers = [self.waiting.pop(name)[1] for _, name in ready]
        timers, self.fired = self.fired + timers, []
        return timers
