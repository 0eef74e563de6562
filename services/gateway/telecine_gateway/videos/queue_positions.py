"""Places in the dispatch queues: how many generations are dispatched until one is."""

from collections.abc import Sequence

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_gateway.read_model.queries import Queries

from .reader import GenerationState

__all__ = ["WAITING", "QueuePositions"]

WAITING = "waiting"
"""The provider status of a generation that waits in a queue."""


class QueuePositions:
    """Positions, each of which is kept until the next event of any queue."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._known: dict[str, int | None] = {}
        self._epoch = 0

    def forget(self, events: Sequence[RecordedEvent] = ()) -> None:
        """The queues have changed."""
        self._epoch += 1
        self._known.clear()

    async def of(self, state: GenerationState) -> int | None:
        """1 for the next one to be dispatched; None if the generation does not wait."""
        if state.row.provider_status != WAITING or state.status != "processing":
            return None
        generation = state.row.id
        if generation not in self._known:
            epoch = self._epoch
            position = await self._queries.queue_position(generation)
            if epoch != self._epoch:
                return position
            self._known[generation] = position
        return self._known[generation]
