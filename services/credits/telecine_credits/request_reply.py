"""Commands to the ledger over request/reply. An answer tells what became of one; a refusal is an answer too."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from faststream.nats import NatsBroker, NatsMessage
from pydantic import ValidationError

from telecine_chassis.consumers.reactor import undecoded_body
from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, CommandResult
from telecine_chassis.eventstore.port import (
    AppendRejected,
    NotSkippable,
    Unavailable,
    UndecodedEvent,
    UnreadableMessage,
    UnsupportedEvent,
)
from telecine_chassis.telemetry.tracing import bind_context
from telecine_contracts import derive_id, subjects
from telecine_contracts.commands import (
    ADJUST_CREDITS,
    CLOSE_ACCOUNT,
    GRANT_CREDITS,
    REOPEN_ACCOUNT,
    SET_SPEND_LIMITS,
    SKIP_MESSAGE,
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    LedgerAnswer,
    LedgerCommand,
    Refusal,
    ReopenAccount,
    SetSpendLimits,
    SkipMessage,
)
from telecine_contracts.credits import Balances, LedgerEvent
from telecine_credits.rules.account import UNLIMITED, WHOLE_ACCOUNT, Account, Decided
from telecine_credits.rules.commands import (
    Adjust,
    Close,
    Command,
    Grant,
    LedgerRefused,
    Reopen,
    SetLimits,
    Skip,
)

from .instrumented_request_reply import ObservedAnswers

__all__ = ["answer_commands"]

Ledger = CommandHandler[Command, Account]
Request = TypeVar("Request", bound=LedgerCommand)
Work = Callable[[Request], Awaitable[LedgerAnswer]]
Administrative = Grant | Adjust | Close | Reopen | SetLimits


def answer_commands(
    broker: NatsBroker, ledger: Ledger, clock: Callable[[], datetime], observed: ObservedAnswers
) -> None:
    """Answer each kind of command on its subject."""

    def serve(subject: str, model: type[Request], work: Work[Request]) -> None:
        answer = observed.of(subject, _answering(model, work))
        broker.subscriber(subject, queue="credits", decoder=undecoded_body)(answer)

    def on(subject: str, model: type[Request], meant: Callable[[Request], Administrative]) -> None:
        serve(subject, model, lambda asked: _carry_out(ledger, meant(asked)))

    on(GRANT_CREDITS, GrantCredits, lambda asked: Grant(**dict(asked), at=clock()))
    on(ADJUST_CREDITS, AdjustCredits, lambda asked: Adjust(**dict(asked), at=clock()))
    on(CLOSE_ACCOUNT, CloseAccount, lambda asked: Close(**dict(asked), at=clock()))
    on(REOPEN_ACCOUNT, ReopenAccount, lambda asked: Reopen(**dict(asked), at=clock()))
    on(SET_SPEND_LIMITS, SetSpendLimits, lambda asked: SetLimits(**dict(asked), at=clock()))
    serve(SKIP_MESSAGE, SkipMessage, lambda asked: _skip(ledger, asked, clock()))


def _answering(model: type[Request], work: Work[Request]) -> Callable[[NatsMessage], Awaitable[LedgerAnswer]]:
    async def answer(message: NatsMessage) -> LedgerAnswer:
        try:
            asked = model.model_validate_json(message.body)
        except ValidationError as error:
            return _not_understood(error)
        bind_context(account=asked.account)
        try:
            return await work(asked)
        except LedgerRefused as error:
            return LedgerAnswer(refusal=error.refusal, field=error.field, error=str(error))
        except AppendRejected as error:
            return LedgerAnswer(refusal=Refusal.INVALID, error=str(error))
        except NotSkippable as error:
            return LedgerAnswer(refusal=Refusal.NOT_SKIPPABLE, field="sequence", error=str(error))
        except (UnsupportedEvent, UnreadableMessage) as error:
            return LedgerAnswer(refusal=Refusal.UNAVAILABLE, error=f"nothing was done: {error}")
        except Unavailable:
            error_text = "the event store does not answer: ask again, nothing is done twice"
            return LedgerAnswer(refusal=Refusal.UNAVAILABLE, error=error_text)

    return answer


async def _carry_out(ledger: Ledger, command: Administrative) -> LedgerAnswer:
    cause = derive_id(command.account, _name(command))
    outcome = await ledger.handle(subjects.ledger(command.account), command, Cause(cause, cause))
    return _answer(outcome, lambda account: _decided_before(command, account))


async def _skip(ledger: Ledger, asked: SkipMessage, at: datetime) -> LedgerAnswer:
    def command(message: UndecodedEvent) -> Skip:
        return Skip(
            account=asked.account,
            at=at,
            sequence=asked.sequence,
            sha256=message.sha256,
            reason=asked.reason,
        )

    cause = derive_id(asked.account, f"skip {asked.sequence}")
    aggregate = subjects.ledger(asked.account)
    outcome = await ledger.skip_unreadable(
        aggregate, asked.sequence, command, Cause(cause, cause), unknown=asked.unknown_type
    )
    return _answer(outcome, lambda account: None)


def _answer(outcome: CommandResult[Account], before: Callable[[Account], Decided | None]) -> LedgerAnswer:
    account = outcome.state
    event = None if outcome.event is None else outcome.event.event
    made = Decided(event.entry, event.decided_at) if isinstance(event, LedgerEvent) else before(account)
    return LedgerAnswer(
        done=event is not None,
        entry=None if made is None else made.entry,
        balances=Balances(available=account.available, held=account.held),
        decided_at=None if made is None else made.at,
    )


def _name(command: Administrative) -> str:
    """What makes a command the same command when it is sent again; one that asks for a state finds it there."""
    match command:
        case Grant():
            return f"grant {command.reference}"
        case Adjust():
            return f"adjust {command.reference}"
        case _:
            return f"command {uuid4()}"


def _decided_before(command: Administrative, account: Account) -> Decided | None:
    """The entry that did before what the command asks for; none if it was so from the beginning."""
    match command:
        case Grant() | Adjust():
            return account.references[command.reference]
        case Close() | Reopen():
            return account.status
        case SetLimits():
            return account.limits.get(command.api_key or WHOLE_ACCOUNT, UNLIMITED).decided


def _not_understood(error: ValidationError) -> LedgerAnswer:
    problems = error.errors(include_input=False, include_url=False)
    named = [(str(problem["loc"][-1]) if problem["loc"] else "body", problem["msg"]) for problem in problems]
    return LedgerAnswer(
        refusal=Refusal.INVALID,
        field=named[0][0],
        error="; ".join(f"{field}: {message}" for field, message in named),
    )
