"""Commands to the ledger over NATS request/reply: each in a span, measured, and answered with a LedgerAnswer."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

import structlog
from faststream.nats import NatsBroker, NatsMessage
from pydantic import ValidationError

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, CommandResult
from telecine_chassis.eventstore.port import (
    AppendRejected,
    NotSkippable,
    Unavailable,
    UndecodedEvent,
    UnreadableMessage,
    UnsupportedEvent,
)
from telecine_chassis.nats.broker import undecoded_body
from telecine_chassis.telemetry.trace_context import TRACEPARENT_HEADER
from telecine_chassis.telemetry.tracing import SpanKind, Tracing, bind_context, current_log_fields
from telecine_contracts import derive_id, subjects
from telecine_contracts.commands import (
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
from telecine_credits.rules.account import ACCOUNT_SCOPE, UNLIMITED, Account, EntryReference
from telecine_credits.rules.commands import AdminCommand, Skip, TimedCommand
from telecine_credits.rules.errors import LedgerRefused

from .instruments import CommandInstruments

__all__ = ["serve_commands"]

Ledger = CommandHandler[TimedCommand, Account]
Request = TypeVar("Request", bound=LedgerCommand)
CommandExecution = Callable[[Request], Awaitable[LedgerAnswer]]
RequestHandler = Callable[[NatsMessage], Awaitable[LedgerAnswer]]
ADMIN_COMMANDS: tuple[type[AdminCommand], ...] = (
    GrantCredits,
    AdjustCredits,
    CloseAccount,
    ReopenAccount,
    SetSpendLimits,
)


def serve_commands(
    broker: NatsBroker,
    ledger: Ledger,
    clock: Callable[[], datetime],
    tracing: Tracing,
    instruments: CommandInstruments,
) -> None:
    """Subscribe to the subject of every command; replicas share the requests."""

    def serve(model: type[Request], execution: CommandExecution[Request]) -> None:
        handler = _instrumented(model.subject, _command_handler(model, execution), tracing, instruments)
        broker.subscriber(model.subject, queue="credits", decoder=undecoded_body)(handler)

    for model in ADMIN_COMMANDS:
        serve(model, lambda command: _execute(ledger, command, clock()))
    serve(SkipMessage, lambda command: _skip(ledger, command, clock()))


def _instrumented(
    subject: str, handler: RequestHandler, tracing: Tracing, instruments: CommandInstruments
) -> RequestHandler:
    """The handler inside a span, with its duration and outcome measured."""
    name = subject.rpartition(".")[2]

    async def instrumented(message: NatsMessage) -> LedgerAnswer:
        structlog.contextvars.clear_contextvars()
        outcome = "failed"
        parent = message.headers.get(TRACEPARENT_HEADER)
        try:
            with (
                tracing.entry_span(f"process {subject}", kind=SpanKind.SERVER, parent=parent) as span,
                instruments.seconds.labels(name).time(),
            ):
                structlog.contextvars.bind_contextvars(command=name, **current_log_fields())
                answer = await handler(message)
                outcome = _outcome(answer)
                span.set_attribute("telecine.outcome", outcome)
                return answer
        finally:
            instruments.commands.labels(name, outcome).inc()

    return instrumented


def _outcome(answer: LedgerAnswer) -> str:
    if answer.refusal is not None:
        return answer.refusal.value
    return "done" if answer.done else "unchanged"


def _command_handler(model: type[Request], execution: CommandExecution[Request]) -> RequestHandler:
    async def handler(message: NatsMessage) -> LedgerAnswer:
        try:
            command = model.model_validate_json(message.body)
        except ValidationError as error:
            return _invalid_request(error)
        bind_context(account=command.account)
        try:
            return await execution(command)
        except LedgerRefused as error:
            return LedgerAnswer(refusal=error.refusal, field=error.field, error=str(error))
        except AppendRejected as error:
            return LedgerAnswer(refusal=Refusal.INVALID, error=str(error))
        except NotSkippable as error:
            return LedgerAnswer(refusal=Refusal.NOT_SKIPPABLE, field="sequence", error=str(error))
        except (UnsupportedEvent, UnreadableMessage) as error:
            return LedgerAnswer(refusal=Refusal.UNAVAILABLE, error=f"nothing was done: {error}")
        except Unavailable:
            message_text = "the event store does not answer: send the command again, it is carried out once"
            return LedgerAnswer(refusal=Refusal.UNAVAILABLE, error=message_text)

    return handler


async def _execute(ledger: Ledger, command: AdminCommand, at: datetime) -> LedgerAnswer:
    cause = derive_id(command.account, _command_key(command))
    timed = TimedCommand(command, at)
    result = await ledger.handle(subjects.ledger(command.account), timed, Cause(cause, cause))
    return _answer(result, lambda account: _earlier_entry(command, account))


async def _skip(ledger: Ledger, command: SkipMessage, at: datetime) -> LedgerAnswer:
    def skip(message: UndecodedEvent) -> TimedCommand:
        return TimedCommand(
            Skip(
                account=command.account,
                sequence=command.sequence,
                sha256=message.sha256,
                reason=command.reason,
            ),
            at,
        )

    cause = derive_id(command.account, f"skip {command.sequence}")
    aggregate = subjects.ledger(command.account)
    result = await ledger.skip_unreadable(
        aggregate, command.sequence, skip, Cause(cause, cause), unknown=command.unknown_type
    )
    return _answer(result, lambda account: None)


def _answer(
    result: CommandResult[Account], earlier: Callable[[Account], EntryReference | None]
) -> LedgerAnswer:
    account = result.state
    event = None if result.event is None else result.event.event
    entry = (
        EntryReference(event.entry, event.decided_at) if isinstance(event, LedgerEvent) else earlier(account)
    )
    return LedgerAnswer(
        done=event is not None,
        entry=None if entry is None else entry.entry,
        balances=Balances(available=account.available, held=account.held),
        decided_at=None if entry is None else entry.at,
    )


def _command_key(command: AdminCommand) -> str:
    """Equal for a command that is sent again, so that its event has the same id."""
    match command:
        case GrantCredits():
            return f"grant {command.reference}"
        case AdjustCredits():
            return f"adjust {command.reference}"
        case _:
            # Commands that ask for a state find it when they are sent again, and write nothing.
            return f"command {uuid4()}"


def _earlier_entry(command: AdminCommand, account: Account) -> EntryReference | None:
    """The entry that already did what the command asks for; None if the account never was otherwise."""
    match command:
        case GrantCredits() | AdjustCredits():
            return account.references[command.reference]
        case CloseAccount() | ReopenAccount():
            return account.status
        case SetSpendLimits():
            return account.limits.get(command.api_key or ACCOUNT_SCOPE, UNLIMITED).decided


def _invalid_request(error: ValidationError) -> LedgerAnswer:
    problems = error.errors(include_input=False, include_url=False)
    named = [(str(problem["loc"][-1]) if problem["loc"] else "body", problem["msg"]) for problem in problems]
    return LedgerAnswer(
        refusal=Refusal.INVALID,
        field=named[0][0],
        error="; ".join(f"{field}: {message}" for field, message in named),
    )
