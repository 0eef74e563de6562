"""Generations that were read lately, in memory until an event changes them."""

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from telecine_chassis.eventstore.port import RecordedEvent

from .charges import Charge
from .tables import GenerationRow

__all__ = ["GenerationRows", "RecentGenerations"]

MAX_GENERATIONS = 5_000


@dataclass(frozen=True, slots=True)
class GenerationRows:
    """The rows of one generation."""

    row: GenerationRow | None
    charge: Charge | None


class RecentGenerations:
    """The rows of the generations read last, as the tables have them."""

    def __init__(self, most: int = MAX_GENERATIONS) -> None:
        self._most = most
        self._rows: OrderedDict[str, GenerationRows] = OrderedDict()
        self._loading: Counter[str] = Counter()
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    def forget(self, events: Sequence[RecordedEvent]) -> None:
        """Read the generations of these events again: the tables have changed."""
        for recorded in events:
            generation = recorded.event.about.get("generation")
            if generation is not None:
                self._rows.pop(generation, None)
                if generation in self._loading:
                    self._changed.add(generation)

    async def get(self, generation: str, read: Callable[[], Awaitable[GenerationRows]]) -> GenerationRows:
        """The rows of a generation; `read` reads them from the tables."""
        found = self._rows.get(generation)
        if found is not None:
            self._rows.move_to_end(generation)
            return found
        self._loading[generation] += 1
        try:
            found = await read()
        finally:
            self._loading[generation] -= 1
            is_changed = generation in self._changed
            if not self._loading[generation]:
                del self._loading[generation]
                self._changed.discard(generation)
        if found.row is not None and not is_changed:
            self._rows[generation] = found
            if len(self._rows) > self._most:
                self._rows.popitem(last=False)
        return found
