"""An event store whose appends are measured."""

from collections.abc import Sequence

from telecine_chassis.telemetry.instruments import AppendInstruments
from telecine_chassis.telemetry.measurement import measured
from telecine_contracts import Envelope, Event

from .port import AppendRejected, Conflict, EventStore, RecordedEvent

__all__ = ["InstrumentedEventStore"]

OUTCOMES: dict[type[Exception], str] = {Conflict: "conflict", AppendRejected: "refused"}


class InstrumentedEventStore:
    """`store` with every append counted and timed."""

    def __init__(self, store: EventStore, meters: AppendInstruments) -> None:
        self._store = store
        self._meters = meters

    async def load(
        self, aggregate: str, *, after: int = 0, include_undecoded: bool = False, confirmed: bool = True
    ) -> Sequence[RecordedEvent]:
        """See EventStore.load."""
        return await self._store.load(
            aggregate, after=after, include_undecoded=include_undecoded, confirmed=confirmed
        )

    async def append(self, event: Event, envelope: Envelope, *, aggregate: str, expected: int) -> int:
        """See EventStore.append."""
        with measured(
            self._meters.appends,
            event.type,
            seconds=self._meters.seconds,
            errors=OUTCOMES,
            default="unavailable",
        ) as append:
            version = await self._store.append(event, envelope, aggregate=aggregate, expected=expected)
            append.outcome = "stored"
            return version
