"""Client of the credits service: sends commands to it, and reads an account's ledger."""

import nats.errors
import typer

from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import RecordedEvent, UndecodedEvent
from telecine_chassis.nats.request import request_with_retry
from telecine_contracts import registry, subjects
from telecine_contracts.commands import GrantCredits, LedgerAnswer, LedgerCommand, Refusal
from telecine_contracts.credits import Balances, LedgerEvent
from telecine_jetstream.client import NatsClient

from .errors import CommandError

__all__ = ["balances_after", "grant", "read_ledger", "send_command"]

_ANSWER_SECONDS = 10


async def send_command(connection: NatsClient, command: LedgerCommand) -> LedgerAnswer:
    """Send a command to the credits service. It is safe to send the same command again: it is carried out once.

    Raises:
        CommandError: the service refuses the command or does not answer.
    """
    body = command.model_dump_json().encode()
    try:
        reply = await request_with_retry(connection, command.subject, body, timeout=_ANSWER_SECONDS)
    except (nats.errors.NoRespondersError, TimeoutError) as error:
        raise CommandError(
            "the credits service does not answer: check that it is running (it is safe to run the command again)"
        ) from error
    answer = LedgerAnswer.model_validate_json(reply.data)
    if answer.refusal is not None:
        raise CommandError(_refusal_message(command, answer))
    return answer


def _refusal_message(command: LedgerCommand, answer: LedgerAnswer) -> str:
    past = answer.refusal is Refusal.INVALID and answer.field == "expires_at"
    if past and isinstance(command, GrantCredits) and command.expires_at is not None:
        return (
            f"--expires is in the past ({command.expires_at:%Y-%m-%d %H:%M} UTC): "
            "give a later time, or none for credits that never expire"
        )
    return answer.error or str(answer.refusal)


async def grant(connection: NatsClient, request: GrantCredits) -> LedgerAnswer:
    """Grant credits; a reference grants once. Raises as `send_command` does."""
    return await send_command(connection, request)


async def read_ledger(connection: NatsClient, account: str, *, complete: bool = False) -> list[RecordedEvent]:
    """Every entry of an account's ledger, in order. An entry that cannot be read is named on standard error.

    Raises:
        CommandError: an entry cannot be read, and the ledger has to be `complete`, as for computing a balance.
    """
    found = await JetStreamEventStore(connection, registry()).load(
        subjects.ledger(account), include_undecoded=True
    )
    for recorded in found:
        if isinstance(recorded.event, UndecodedEvent):
            problem = f"LEDGER#{recorded.sequence} of {account} cannot be read: {recorded.event.error}"
            if complete:
                raise CommandError(f"{problem}; a newer version may be able to")
            typer.echo(f"left out: {problem}", err=True)
    return [recorded for recorded in found if not isinstance(recorded.event, UndecodedEvent)]


def balances_after(entries: list[RecordedEvent]) -> Balances:
    """The balances after the last entry."""
    last = entries[-1].event if entries else None
    return last.balances if isinstance(last, LedgerEvent) else Balances(available=0, held=0)
