"""What the credits service listens to: the streams, its timers, and commands over request/reply."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from faststream.nats import NatsBroker, NatsMessage
from pydantic import ValidationError

from telecine_chassis.commands import Aggregates, Cause
from telecine_chassis.reactor import Permanent, Reactor, undecoded
from telecine_chassis.store import Recorded, Refused, Unavailable
from telecine_chassis.timers import Timer, Timers
from telecine_contracts import derive_id, subjects
from telecine_contracts.commands import (
    ADJUST_CREDITS,
    CLOSE_ACCOUNT,
    GRANT_CREDITS,
    REOPEN_ACCOUNT,
    SET_SPEND_LIMITS,
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    LedgerAnswer,
    LedgerCommand,
    Refusal,
    ReopenAccount,
    SetSpendLimits,
)
from telecine_contracts.credits import Balances, CreditsAdjusted, CreditsGranted, CreditsRefunded
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.generation import GenerationFailed
from telecine_contracts.storage import VideoStorageFailed, VideoStored
from telecine_contracts.streams import CREDITS_CLOSE, CREDITS_DEBIT, CREDITS_EXPIRY, CREDITS_TIMERS

from .account import Account
from .commands import Adjust, Close, Command, Debit, Expire, Grant, Refund, Reopen, SetLimits, Settle
from .domain import LedgerRefused, NotDebited
from .grants import moved_by_grant

Ledger = Aggregates[Command, Account]
Clock = Callable[[], datetime]
EXPIRY = "expiry"
"""Kind of the timer of a grant's expiry; its key is the account and the number of the grant's entry."""
Request = TypeVar("Request", bound=LedgerCommand)


def listen(reactor: Reactor, broker: NatsBroker, ledger: Ledger, timers: Timers, clock: Clock) -> None:
    """Everything the credits service reacts to."""

    async def debit(cause: Recorded) -> None:
        event = cause.event
        assert isinstance(event, GenerationRequested)
        command = Debit(
            account=event.account,
            at=clock(),
            generation=event.generation,
            price=event.price,
            api_key=event.api_key,
        )
        await ledger.execute(subjects.ledger(event.account), command, Cause.of(cause.envelope))

    async def close(cause: Recorded) -> None:
        command = ending(cause, clock())
        try:
            await ledger.execute(subjects.ledger(command.account), command, Cause.of(cause.envelope))
        except NotDebited as error:
            raise Permanent(str(error)) from None

    async def arm(cause: Recorded) -> None:
        for timer, at in expiries(cause):
            await timers.set(timer, at)

    async def expire(timer: Timer) -> None:
        account, number = timer.key
        command = Expire(account=account, at=clock(), grant=int(number))
        await ledger.execute(subjects.ledger(account), command)
        grant = (await ledger.read(subjects.ledger(account))).grants.get(command.grant)
        if grant is not None and grant.available and grant.usable_until and grant.usable_until > command.at:
            await timers.set(timer, grant.usable_until)

    reactor.on(CREDITS_DEBIT, debit)
    reactor.on(CREDITS_CLOSE, close)
    reactor.on(CREDITS_EXPIRY, arm)
    reactor.on_timers(CREDITS_TIMERS, {EXPIRY: expire})
    answer_commands(broker, ledger, clock)


def ending(cause: Recorded, at: datetime) -> Settle | Refund:
    """What the end of a generation means for its hold: settled where there is a video to give, else refunded."""
    account, generation = cause.event.about["account"], cause.event.about["generation"]
    match cause.event:
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


def expiries(cause: Recorded) -> list[tuple[Timer, datetime]]:
    """When to look whether grants have expired, after an entry that gave them credits."""
    event = cause.event
    match event:
        case CreditsGranted(expires_at=until, entry=entry) if until is not None:
            return [(expiry_timer(event.account, entry), until)]
        case CreditsRefunded(usable_until=until) | CreditsAdjusted(usable_until=until) if until is not None:
            return [(expiry_timer(event.account, number), until) for number, _ in moved_by_grant(event)]
        case _:
            return []


def expiry_timer(account: str, grant: int) -> Timer:
    """The timer of a grant's expiry, by the number of its entry."""
    return Timer(EXPIRY, (account, str(grant)))


def answer_commands(broker: NatsBroker, ledger: Ledger, clock: Clock) -> None:
    """Commands over request/reply. An answer tells what became of one; a refusal is an answer too."""

    def on(subject: str, model: type[Request], understood: Callable[[Request], tuple[Command, str]]) -> None:
        broker.subscriber(subject, queue="credits", decoder=undecoded)(_answering(ledger, model, understood))

    on(
        GRANT_CREDITS,
        GrantCredits,
        lambda asked: (Grant(**dict(asked), at=clock()), f"grant {asked.reference}"),
    )
    on(
        ADJUST_CREDITS,
        AdjustCredits,
        lambda asked: (Adjust(**dict(asked), at=clock()), f"adjust {asked.reference}"),
    )
    on(CLOSE_ACCOUNT, CloseAccount, lambda asked: (Close(**dict(asked), at=clock()), _once()))
    on(REOPEN_ACCOUNT, ReopenAccount, lambda asked: (Reopen(**dict(asked), at=clock()), _once()))
    on(SET_SPEND_LIMITS, SetSpendLimits, lambda asked: (SetLimits(**dict(asked), at=clock()), _once()))


def _answering(
    ledger: Ledger, model: type[Request], understood: Callable[[Request], tuple[Command, str]]
) -> Callable[[NatsMessage], Awaitable[LedgerAnswer]]:
    async def answer(message: NatsMessage) -> LedgerAnswer:
        try:
            command, name = understood(model.model_validate_json(message.body))
        except ValidationError as error:
            return _not_understood(error)
        try:
            return await _carry_out(ledger, command, name)
        except LedgerRefused as error:
            return LedgerAnswer(refusal=error.refusal, field=error.field, error=str(error))
        except Refused as error:
            return LedgerAnswer(refusal=Refusal.INVALID, error=str(error))
        except Unavailable:
            error_text = "the event store does not answer: ask again, nothing is done twice"
            return LedgerAnswer(refusal=Refusal.UNAVAILABLE, error=error_text)

    return answer


def _once() -> str:
    """The name of a command that asks for a state: sent again, it finds the state there."""
    return f"command {uuid4()}"


async def _carry_out(ledger: Ledger, command: Command, name: str) -> LedgerAnswer:
    """`name` makes a command the same command when it is sent again."""
    cause = derive_id(command.account, name)
    outcome = await ledger.execute(subjects.ledger(command.account), command, Cause(cause, cause))
    account = outcome.state
    number = (
        account.references.get(command.reference) if isinstance(command, Grant | Adjust) else account.entry
    )
    return LedgerAnswer(
        done=outcome.event is not None,
        entry=number,
        balances=Balances(available=account.available, held=account.held),
        decided_at=command.at,
    )


def _not_understood(error: ValidationError) -> LedgerAnswer:
    problems = error.errors(include_input=False, include_url=False)
    named = [(str(problem["loc"][-1]) if problem["loc"] else "body", problem["msg"]) for problem in problems]
    return LedgerAnswer(
        refusal=Refusal.INVALID,
        field=named[0][0],
        error="; ".join(f"{field}: {message}" for field, message in named),
    )
