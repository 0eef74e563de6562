"""What the generation service listens to."""

from telecine_chassis.consumers.reactor import Reactor
from telecine_chassis.eventstore.command_handler import Cause
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.timers.port import Timer
from telecine_contracts import subjects
from telecine_contracts.credits import CreditsDebited, CreditsDenied, DenialReason
from telecine_contracts.gateway import CancelRequested
from telecine_contracts.streams import (
    GENERATION_CANCEL,
    GENERATION_DENY,
    GENERATION_SUBMIT,
    GENERATION_TIMERS,
)
from telecine_generation.rules.commands import Deny
from telecine_generation.rules.denials import in_words

from .submit import Generations, Submitter
from .timers import WAKE, GenerationPoller


def listen(
    reactor: Reactor, generations: Generations, submitter: Submitter, follower: GenerationPoller
) -> None:
    """Everything the generation service reacts to."""

    async def submit(cause: RecordedEvent) -> None:
        event = cause.event
        assert isinstance(event, CreditsDebited)
        state = await submitter.submit(
            event.account, event.generation, attempt=1, cause=Cause.of(cause.envelope)
        )
        await follower.set_timer(state)

    async def deny(cause: RecordedEvent) -> None:
        event = cause.event
        assert isinstance(event, CreditsDenied)
        if event.reason is not DenialReason.GENERATION_ENDED:
            aggregate = subjects.video(event.account, event.generation)
            await generations.execute(aggregate, Deny(in_words(event)), Cause.of(cause.envelope))

    async def cancel(cause: RecordedEvent) -> None:
        event = cause.event
        assert isinstance(event, CancelRequested)
        await follower.wake(Timer(WAKE, (event.account, event.generation)))

    reactor.on(GENERATION_SUBMIT, submit)
    reactor.on(GENERATION_DENY, deny)
    reactor.on(GENERATION_CANCEL, cancel)
    reactor.on_timers(GENERATION_TIMERS, {WAKE: follower.wake}, {WAKE: ("account", "generation")})
