"""The order of dispatch of one model: a fair queue. Pure.

Accounts take turns: each turn dispatches one generation of the account that is first in the rotation, and the account
goes to its end. All generations cost one turn, so this is deficit round robin with equal costs. A generation thus waits
for at most one generation of each other account for every generation of its own account before it. An account that has
all the places it may have is passed over and keeps its turn. Within an account, higher priorities come first, then
those that entered first.
"""

from bisect import insort
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from .dispatch import CapacityLowered, GenerationDispatched, QueueEntered, QueueLeft
from .message import Event

__all__ = ["DispatchQueue", "Waiting", "evolve_queue"]


@dataclass(frozen=True, slots=True, order=True)
class Waiting:
    """A generation that waits. In the order of dispatch within its account."""

    rank: int
    """Its priority, negated."""
    number: int
    """Grows with each entry to the queue."""
    generation: str


@dataclass(frozen=True, slots=True)
class DispatchQueue:
    """What waits and what runs.

    `rotation`: the accounts that wait, the next first. `running`: account by generation.
    """

    waiting: Mapping[str, tuple[Waiting, ...]] = field(default_factory=dict)
    rotation: tuple[str, ...] = ()
    running: Mapping[str, str] = field(default_factory=dict)
    entries: int = 0
    lowered_limit: int | None = None
    lowered_until: datetime | None = None

    def limit_at(self, time: datetime, limit: int | None) -> int | None:
        """The places at `time`: `limit`, or fewer while the provider has taken no more tasks."""
        if self.lowered_limit is None or self.lowered_until is None or time >= self.lowered_until:
            return limit
        return self.lowered_limit if limit is None else min(limit, self.lowered_limit)

    def next(self, limit: int | None, account_limit: int | None) -> tuple[str, str] | None:
        """Account and generation that are dispatched next; None if nothing waits or no place is free."""
        if not self.rotation or (limit is not None and len(self.running) >= limit):
            return None
        running = Counter(self.running.values()) if account_limit is not None else Counter[str]()
        for account in self.rotation:
            if account_limit is None or running[account] < account_limit:
                return account, self.waiting[account][0].generation
        return None

    def has_room(self, account: str, limit: int | None, account_limit: int | None) -> bool:
        """Whether a generation of the account may be dispatched at once: a place is free and nothing goes before it."""
        if limit is not None and len(self.running) >= limit:
            return False
        mine = sum(1 for other in self.running.values() if other == account)
        if account in self.waiting or (account_limit is not None and mine >= account_limit):
            return False
        return self.next(limit, account_limit) is None

    def is_waiting(self, account: str, generation: str) -> bool:
        """Whether the generation of the account waits."""
        return any(each.generation == generation for each in self.waiting.get(account, ()))

    def position(self, account: str, generation: str) -> int | None:
        """How many are dispatched until the generation is, itself included; None if it does not wait.

        Without regard to limits of accounts, and to what enters with a higher priority meanwhile.
        """
        mine = [each.generation for each in self.waiting.get(account, ())]
        if generation not in mine:
            return None
        index, turn = mine.index(generation), self.rotation.index(account)
        before = sum(
            min(len(self.waiting[other]), index + (place < turn))
            for place, other in enumerate(self.rotation)
            if other != account
        )
        return index + before + 1


def evolve_queue(queue: DispatchQueue, event: Event) -> DispatchQueue:
    """The queue after an event."""
    match event:
        case QueueEntered():
            return _entered(queue, event)
        case GenerationDispatched():
            running = {**queue.running, event.generation: event.account}
            return replace(_without(queue, event.account, event.generation, is_turn=True), running=running)
        case QueueLeft():
            running = {name: of for name, of in queue.running.items() if name != event.generation}
            return replace(_without(queue, event.account, event.generation, is_turn=False), running=running)
        case CapacityLowered():
            return replace(queue, lowered_limit=event.limit, lowered_until=event.until)
        case _:
            return queue


def _entered(queue: DispatchQueue, event: QueueEntered) -> DispatchQueue:
    before = list(queue.waiting.get(event.account, ()))
    insort(before, Waiting(-event.priority, queue.entries, event.generation))
    rotation = queue.rotation if event.account in queue.waiting else (*queue.rotation, event.account)
    waiting = {**queue.waiting, event.account: tuple(before)}
    return replace(queue, waiting=waiting, rotation=rotation, entries=queue.entries + 1)


def _without(queue: DispatchQueue, account: str, generation: str, *, is_turn: bool) -> DispatchQueue:
    """The queue without a generation that waits; after its turn, the account goes to the end."""
    if not queue.is_waiting(account, generation):
        return queue
    left = tuple(each for each in queue.waiting[account] if each.generation != generation)
    waiting = {name: these for name, these in queue.waiting.items() if name != account or left}
    if not left:
        return replace(
            queue, waiting=waiting, rotation=tuple(name for name in queue.rotation if name != account)
        )
    waiting[account] = left
    if not is_turn:
        return replace(queue, waiting=waiting)
    rotation = (*(name for name in queue.rotation if name != account), account)
    return replace(queue, waiting=waiting, rotation=rotation)
