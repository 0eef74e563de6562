"""What the credits service listens to: the streams, its timers, and commands over request/reply."""

from collections.abc import Callable
from datetime import datetime

from faststream.nats import NatsBroker

from telecine_chassis.consumers.reactor import Permanent, Reactor
from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_chassis.timers.port import Timers
from telecine_contracts import Event, subjects
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.generation import GenerationFailed
from telecine_contracts.storage import VideoStorageFailed, VideoStored
from telecine_contracts.streams import CREDITS_CLOSE, CREDITS_DEBIT, CREDITS_EXPIRY, CREDITS_TIMERS
from telecine_credits.instrumented_request_reply import ObservedAnswers
from telecine_credits.request_reply import answer_commands
from telecine_credits.rules.account import Account
from telecine_credits.rules.commands import Command, Debit, NotDebited, Refund, Settle

from .expiry import EXPIRY, Expiries

Ledger = CommandHandler[Command, Account]
Clock = Callable[[], datetime]


def listen(
    reactor: Reactor,
    broker: NatsBroker,
    ledger: Ledger,
    timers: Timers,
    clock: Clock,
    observed: ObservedAnswers,
) -> None:
    """Everything the credits service reacts to."""

    async def debit(event: GenerationRequested, cause: Cause) -> None:
        command = Debit(
            account=event.account,
            at=clock(),
            generation=event.generation,
            price=event.price,
            api_key=event.api_key,
        )
        await ledger.handle(subjects.ledger(event.account), command, cause)

    async def close(event: Event, cause: Cause) -> None:
        command = ending(event, clock())
        try:
            await ledger.handle(subjects.ledger(command.account), command, cause)
        except NotDebited as error:
            raise Permanent(str(error)) from None

    expiries = Expiries(ledger, timers, clock)
    reactor.on(CREDITS_DEBIT, GenerationRequested, debit)
    reactor.on(CREDITS_CLOSE, Event, close)
    reactor.on(CREDITS_EXPIRY, Event, expiries.arm)
    reactor.on_timers(CREDITS_TIMERS, {EXPIRY: expiries.wake}, {EXPIRY: ("account", "grant")})
    answer_commands(broker, ledger, clock, observed)


def ending(event: Event, at: datetime) -> Settle | Refund:
    """What the end of a generation means for its hold: settled where there is a video to give, else refunded."""
    account, generation = event.about["account"], event.about["generation"]
    match event:
        case VideoStored():
            reason = None
        case VideoStorageFailed(stopgap_url=url):
            reason = None if url else "video_not_stored"
        case GenerationFailed(code=code):
            reason = code.value
        case _:
            reason = "cancelled"
    if reason is None:
        return Settle(account=account, at=at, generation=generation)
    return Refund(account=account, at=at, generation=generation, reason=reason)
