"""Decisions about the dispatch queue of one model: admit, dispatch, leave, lower the number of places. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from telecine_contracts import Event
from telecine_contracts.dispatch import CapacityLowered, GenerationDispatched, QueueEntered, QueueLeft
from telecine_contracts.dispatch_queue import DispatchQueue

__all__ = ["DispatchNext", "Enter", "Leave", "Lower", "Places", "QueueCommand", "decide_queue"]


@dataclass(frozen=True, slots=True)
class Places:
    """How many tasks of a model the provider may have, and how many of one account. None: any number."""

    limit: int | None
    account_limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """A generation was paid for: dispatch it at once, or let it wait."""

    model: str
    account: str
    generation: str
    priority: int
    places: Places
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchNext:
    """Dispatch the next one that waits, if a place is free."""

    model: str
    places: Places
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """A generation has ended."""

    model: str
    account: str
    generation: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lower:
    """The provider took no more tasks: one place less than are occupied, until a time."""

    model: str
    now: datetime
    until: datetime


QueueCommand = Enter | DispatchNext | Leave | Lower


def decide_queue(command: QueueCommand, queue: DispatchQueue) -> Event | None:
    """The event that `command` causes, or None if it changes nothing."""
    match command:
        case Enter():
            return _enter(command, queue)
        case DispatchNext(model=model, places=places, now=now):
            following = queue.next(queue.limit_at(now, places.limit), places.account_limit)
            return None if following is None else _dispatched(model, now, *following, queue, places)
        case Leave(model=model, account=account, generation=generation, now=now):
            if generation not in queue.running and not queue.is_waiting(account, generation):
                return None
            return QueueLeft(model=model, at=now, account=account, generation=generation)
        case Lower():
            return _lower(command, queue)
        case _:
            assert_never(command)


def _enter(command: Enter, queue: DispatchQueue) -> Event | None:
    account, generation = command.account, command.generation
    if generation in queue.running or queue.is_waiting(account, generation):
        return None
    limit = queue.limit_at(command.now, command.places.limit)
    if queue.has_room(account, limit, command.places.account_limit):
        return _dispatched(command.model, command.now, account, generation, queue, command.places)
    return QueueEntered(
        model=command.model,
        at=command.now,
        account=account,
        generation=generation,
        priority=command.priority,
    )


def _dispatched(
    model: str, now: datetime, account: str, generation: str, queue: DispatchQueue, places: Places
) -> GenerationDispatched:
    return GenerationDispatched(
        model=model,
        at=now,
        account=account,
        generation=generation,
        limit=queue.limit_at(now, places.limit),
        account_limit=places.account_limit,
    )


def _lower(command: Lower, queue: DispatchQueue) -> Event | None:
    occupied = len(queue.running)
    is_lowered = queue.lowered_until is not None and command.now < queue.lowered_until
    if occupied < 2 or (is_lowered and queue.lowered_limit is not None and queue.lowered_limit < occupied):
        # With one task or none the provider is busy with others. What runs beyond lowered places was there before.
        return None
    return CapacityLowered(model=command.model, at=command.now, limit=occupied - 1, until=command.until)
