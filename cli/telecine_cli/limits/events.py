"""Rate limits of accounts by the operator: events on the ACCESS stream, which every gateway follows."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, Decider
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_contracts import Event, registry, subjects
from telecine_contracts.access import RateLimitsSet
from telecine_contracts.permissions import OPERATOR
from telecine_jetstream.client import NatsClient

__all__ = ["Change", "find_limits", "set_limits"]

Change = Callable[[RateLimitsSet], RateLimitsSet]
"""What an account's limits become."""


async def find_limits(connection: NatsClient, account: str) -> RateLimitsSet:
    """The account's own limits; all absent if none were set."""
    return await _command_handler(connection, account).read(subjects.access(account))


async def set_limits(connection: NatsClient, account: str, change: Change) -> RateLimitsSet:
    """Change the account's own limits. Returns them as they are then."""
    handler, request = _command_handler(connection, account), str(uuid4())
    await handler.handle(subjects.access(account), change, Cause(request, request))
    return await handler.read(subjects.access(account))


def _decide(change: Change, limits: RateLimitsSet) -> Event | None:
    changed = change(limits)
    return None if changed == limits else changed


def _evolve(limits: RateLimitsSet, event: Event) -> RateLimitsSet:
    return event if isinstance(event, RateLimitsSet) else limits


def _command_handler(connection: NatsClient, account: str) -> CommandHandler[Change, RateLimitsSet]:
    return CommandHandler(
        JetStreamEventStore(connection, registry()),
        Decider(RateLimitsSet(account=account), _decide, _evolve),
        source=f"telecine/{OPERATOR}",
        clock=lambda: datetime.now(UTC),
    )
