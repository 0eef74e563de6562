"""The credits service over NATS request/reply."""

import nats.errors
from nats.aio.client import Client
from pydantic import ValidationError

from telecine_chassis.nats.request import RETRY_INTERVAL, request_with_retry
from telecine_chassis.telemetry.tracing import trace_headers
from telecine_contracts.commands import LedgerAnswer, LedgerCommand, Refusal

from .port import SUBJECTS, LedgerSilent

__all__ = ["NatsLedger"]


class NatsLedger:
    """`patience`: seconds that a command waits for its answer, `again`: after which it is sent once more meanwhile."""

    def __init__(self, connection: Client, *, patience: float, again: float = RETRY_INTERVAL) -> None:
        self._connection = connection
        self._patience = patience
        self._again = again

    async def carry_out(self, command: LedgerCommand) -> LedgerAnswer:
        subject, body = SUBJECTS[type(command)], command.model_dump_json().encode()
        try:
            reply = await request_with_retry(
                self._connection,
                subject,
                body,
                patience=self._patience,
                again=self._again,
                headers=trace_headers(),
            )
            answer = LedgerAnswer.model_validate_json(reply.data)
        except (nats.errors.Error, TimeoutError, OSError, ValidationError) as error:
            raise LedgerSilent(f"no answer on {subject}: {type(error).__name__}") from error
        if answer.refusal is Refusal.UNAVAILABLE:
            raise LedgerSilent(f"the event store does not answer on {subject}")
        return answer
