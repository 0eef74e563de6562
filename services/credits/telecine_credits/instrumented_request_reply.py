"""Commands over request/reply, each in its trace, measured, and with its ids on every log line."""

from collections.abc import Awaitable, Callable

import structlog
from faststream.nats import NatsMessage

from telecine_chassis.telemetry.trace_context import TRACEPARENT_HEADER
from telecine_chassis.telemetry.tracing import SpanKind, Tracing, current_log_fields
from telecine_contracts.commands import LedgerAnswer

from .instruments import CommandMeters

__all__ = ["ObservedAnswers"]

Answer = Callable[[NatsMessage], Awaitable[LedgerAnswer]]


class ObservedAnswers:
    """Makes an observed handler of a handler."""

    def __init__(self, tracing: Tracing, meters: CommandMeters) -> None:
        self._tracing = tracing
        self._meters = meters

    def of(self, subject: str, answer: Answer) -> Answer:
        """`answer`, observed; `subject` is the command's."""
        name = subject.rpartition(".")[2]

        async def observed(message: NatsMessage) -> LedgerAnswer:
            structlog.contextvars.clear_contextvars()
            outcome = "failed"
            try:
                with (
                    self._tracing.entry_span(
                        f"process {subject}",
                        kind=SpanKind.SERVER,
                        parent=message.headers.get(TRACEPARENT_HEADER),
                    ) as span,
                    self._meters.seconds.labels(name).time(),
                ):
                    structlog.contextvars.bind_contextvars(command=name, **current_log_fields())
                    answered = await answer(message)
                    outcome = _outcome(answered)
                    span.set_attribute("telecine.outcome", outcome)
                    return answered
            finally:
                self._meters.commands.labels(name, outcome).inc()

        return observed


def _outcome(answer: LedgerAnswer) -> str:
    if answer.refusal is not None:
        return answer.refusal.value
    return "done" if answer.done else "unchanged"
