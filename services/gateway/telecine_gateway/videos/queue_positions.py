"""Places in the dispatch queues: how many generations are dispatched until one is."""

from collections.abc import Sequence

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts.dispatch_queue import DispatchQueue
from telecine_gateway.read_model.queries import Queries

from .reader import GenerationState

__all__ = ["WAITING", "QueuePositions"]

WAITING = "waiting"
"""The provider status of a generation that waits in a queue."""


class QueuePositions:
    """Reads queues, each of which is kept until the next event of any."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._queues: dict[str, DispatchQueue] = {}
        self._epoch = 0

    def forget(self, events: Sequence[RecordedEvent] = ()) -> None:
        """The queues have changed."""
        self._epoch += 1
        self._queues.clear()

    async def of(self, state: GenerationState) -> int | None:
        """1 for the next one to be dispatched; None if the generation does not wait."""
        row = state.row
        if row.provider_status != WAITING or state.status != "processing":
            return None
        queue = self._queues.get(row.model)
        if queue is None:
            epoch = self._epoch
            queue = await self._queries.dispatch_queue(row.model)
            if epoch == self._epoch:
                self._queues[row.model] = queue
        return queue.position(row.account, row.id)
