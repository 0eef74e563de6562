"""What the storage service listens to."""

from telecine_chassis.consumers.reactor import Reactor
from telecine_chassis.eventstore.command_handler import Cause
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts.generation import VideoReady
from telecine_contracts.streams import STORAGE_COPY, STORAGE_TIMERS

from .copy import COPY, RECOPY, CopyHandler


def register_consumers(reactor: Reactor, copier: CopyHandler) -> None:
    """Everything the storage service reacts to."""

    async def store(cause: RecordedEvent) -> None:
        event = cause.event
        assert isinstance(event, VideoReady)
        await copier.copy(event.account, event.generation, cause=Cause.of(cause.envelope))

    reactor.on(STORAGE_COPY, store)
    key = ("account", "generation")
    reactor.on_timers(STORAGE_TIMERS, {COPY: copier.retry, RECOPY: copier.recopy}, {COPY: key, RECOPY: key})
