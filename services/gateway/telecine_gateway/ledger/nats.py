"""The credits service over NATS request/reply."""

import nats.errors
from nats.aio.client import Client
from pydantic import ValidationError

from telecine_chassis.nats.request import RETRY_INTERVAL, request_with_retry
from telecine_chassis.telemetry.tracing import trace_headers
from telecine_contracts.commands import LedgerAnswer, LedgerCommand, Refusal

from .port import LedgerUnavailable

__all__ = ["NatsLedger"]


class NatsLedger:
    """Sends a command again every `retry_interval` seconds until it is answered, for at most `timeout` seconds."""

    def __init__(self, connection: Client, *, timeout: float, retry_interval: float = RETRY_INTERVAL) -> None:
        self._connection = connection
        self._timeout = timeout
        self._retry_interval = retry_interval

    async def execute(self, command: LedgerCommand) -> LedgerAnswer:
        subject, body = command.subject, command.model_dump_json().encode()
        try:
            reply = await request_with_retry(
                self._connection,
                subject,
                body,
                timeout=self._timeout,
                retry_interval=self._retry_interval,
                headers=trace_headers(),
            )
            answer = LedgerAnswer.model_validate_json(reply.data)
        except (nats.errors.Error, TimeoutError, OSError, ValidationError) as error:
            raise LedgerUnavailable(f"no answer on {subject}: {type(error).__name__}") from error
        if answer.refusal is Refusal.UNAVAILABLE:
            raise LedgerUnavailable(f"the event store does not answer on {subject}")
        return answer
