"""The QUEUE stream: for each model with a limit, which generation the provider gets next. Written by generation alone.

The order of dispatch follows from these events by the rules of `dispatch_queue`, so that it can be verified.
"""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from .message import Account, Event, Generation

__all__ = ["CapacityLowered", "GenerationDispatched", "QueueEntered", "QueueEvent", "QueueLeft"]


class QueueEvent(Event):
    """Base of the events of one model's queue."""

    stream: ClassVar[str] = "QUEUE"
    written_by: ClassVar[str] = "generation"

    model: Annotated[str, Field(description="Name of the model")]
    at: Annotated[datetime, Field(description="When it was decided")]

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.model,)


class QueueEntered(QueueEvent):
    """A generation that was paid for waits: the provider has as many tasks of the model as it may have."""

    type: ClassVar[str] = "queue.entered.v1"
    action: ClassVar[str] = "entered"

    account: Account
    generation: Generation
    priority: Annotated[
        int, Field(ge=0, le=9, description="Within the account: higher ones are dispatched first")
    ] = 0


class GenerationDispatched(QueueEvent):
    """A generation may be submitted: at once, or after it has waited. It occupies one place until it leaves."""

    type: ClassVar[str] = "queue.dispatched.v1"
    action: ClassVar[str] = "dispatched"

    account: Account
    generation: Generation
    limit: Annotated[
        int | None, Field(ge=1, description="Places of the model that were decided with; absent: unlimited")
    ] = None
    account_limit: Annotated[
        int | None,
        Field(ge=1, description="Places for one account that were decided with; absent: unlimited"),
    ] = None


class QueueLeft(QueueEvent):
    """A generation has ended, or was cancelled while it waited: its place is free."""

    type: ClassVar[str] = "queue.left.v1"
    action: ClassVar[str] = "left"

    account: Account
    generation: Generation


class CapacityLowered(QueueEvent):
    """The provider took no more tasks (429): fewer places for a while."""

    type: ClassVar[str] = "queue.capacity_lowered.v1"
    action: ClassVar[str] = "capacity_lowered"

    limit: Annotated[int, Field(ge=1, description="Places until then")]
    until: Annotated[datetime, Field(description="When the usual number of places holds again")]
