"""The credits service over NATS request/reply."""

import nats.errors
from nats.aio.client import Client
from pydantic import ValidationError

from telecine_chassis.tracing import headers_from_here
from telecine_contracts.commands import LedgerAnswer, LedgerCommand, Refusal

from .ledger import SUBJECTS, LedgerSilent

__all__ = ["NatsLedger"]


class NatsLedger:
    """`patience`: seconds that a command waits for its answer."""

    def __init__(self, connection: Client, *, patience: float) -> None:
        self._connection = connection
        self._patience = patience

    async def carry_out(self, command: LedgerCommand) -> LedgerAnswer:
        # While disconnected the client would keep the command and send it later, perhaps after a newer one.
        if not self._connection.is_connected:
            raise LedgerSilent("not connected to NATS")
        subject, body = SUBJECTS[type(command)], command.model_dump_json().encode()
        try:
            reply = await self._connection.request(
                subject, body, timeout=self._patience, headers=headers_from_here()
            )
            answer = LedgerAnswer.model_validate_json(reply.data)
        except (nats.errors.Error, TimeoutError, OSError, ValidationError) as error:
            raise LedgerSilent(f"no answer on {subject}: {type(error).__name__}") from error
        if answer.refusal is Refusal.UNAVAILABLE:
            raise LedgerSilent(f"the event store does not answer on {subject}")
        return answer
