"""An event store that counts what becomes of its appends."""

from collections.abc import Sequence

from telecine_chassis.telemetry.instruments import AppendInstruments
from telecine_contracts import Envelope, Event

from .port import AppendRejected, Conflict, EventStore, RecordedEvent

__all__ = ["InstrumentedEventStore"]


class InstrumentedEventStore:
    """`store`, with every append measured."""

    def __init__(self, store: EventStore, meters: AppendInstruments) -> None:
        self._store = store
        self._meters = meters

    async def load(
        self, aggregate: str, *, after: int = 0, include_undecoded: bool = False
    ) -> Sequence[RecordedEvent]:
        """See EventStore.load."""
        return await self._store.load(aggregate, after=after, include_undecoded=include_undecoded)

    async def append(self, event: Event, envelope: Envelope, *, aggregate: str, expected: int) -> int:
        """See EventStore.append."""
        outcome = "unavailable"
        try:
            with self._meters.seconds.time():
                version = await self._store.append(event, envelope, aggregate=aggregate, expected=expected)
            outcome = "stored"
            return version
        except (Conflict, AppendRejected) as error:
            outcome = "conflict" if isinstance(error, Conflict) else "refused"
            raise
        finally:
            self._meters.appends.labels(event.type, outcome).inc()
