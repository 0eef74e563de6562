"""What the credits service listens to."""

from faststream.nats import NatsBroker, NatsMessage
from pydantic import ValidationError

from telecine_chassis.commands import Aggregates, Cause
from telecine_chassis.reactor import Permanent, Reactor, undecoded
from telecine_chassis.store import Recorded
from telecine_contracts import derive_id, subjects
from telecine_contracts.commands import GRANT_CREDITS, GrantAnswer, GrantCredits
from telecine_contracts.credits import Balances
from telecine_contracts.gateway import GenerationRequested
from telecine_contracts.generation import GenerationFailed
from telecine_contracts.storage import VideoStorageFailed, VideoStored
from telecine_contracts.streams import CREDITS_CLOSE, CREDITS_DEBIT, CREDITS_TIMERS

from .domain import Account, Command, Debit, Grant, GrantRefused, NotDebited, Refund, Settle

Ledger = Aggregates[Command, Account]


def listen(reactor: Reactor, broker: NatsBroker, ledger: Ledger) -> None:
    """Everything the credits service reacts to."""

    async def debit(cause: Recorded) -> None:
        event = cause.event
        assert isinstance(event, GenerationRequested)
        command = Debit(event.account, event.generation, event.price)
        await ledger.execute(subjects.ledger(event.account), command, Cause.of(cause.envelope))

    async def close(cause: Recorded) -> None:
        command = ending(cause)
        try:
            await ledger.execute(subjects.ledger(command.account), command, Cause.of(cause.envelope))
        except NotDebited as error:
            raise Permanent(str(error)) from None

    async def grant(message: NatsMessage) -> GrantAnswer:
        try:
            request = GrantCredits.model_validate_json(message.body)
        except ValidationError as error:
            problems = error.errors(include_input=False, include_url=False)
            return GrantAnswer(
                error="; ".join(f"{e['loc'][-1] if e['loc'] else 'body'}: {e['msg']}" for e in problems)
            )
        command = Grant(**dict(request))
        cause = derive_id(request.account, f"grant {request.reference}")
        try:
            outcome = await ledger.execute(subjects.ledger(request.account), command, Cause(cause, cause))
        except GrantRefused as error:
            return GrantAnswer(error=str(error))
        account = outcome.state
        balances = Balances(available=account.available, held=account.held)
        return GrantAnswer(granted=outcome.event is not None, balances=balances)

    reactor.on(CREDITS_DEBIT, debit)
    reactor.on(CREDITS_CLOSE, close)
    reactor.on_timers(CREDITS_TIMERS, {})
    broker.subscriber(GRANT_CREDITS, queue="credits", decoder=undecoded)(grant)


def ending(cause: Recorded) -> Settle | Refund:
    """What the end of a generation means for its hold: settled where there is a video to give, else refunded."""
    match cause.event:
        case VideoStored(account=account, generation=generation):
            return Settle(account, generation)
        case VideoStorageFailed(account=account, generation=generation, stopgap_url=url):
            return Settle(account, generation) if url else Refund(account, generation, "video_not_stored")
        case GenerationFailed(account=account, generation=generation, code=code):
            return Refund(account, generation, code.value)
        case other:
            return Refund(other.about["account"], other.about["generation"], "cancelled")
