"""A provider whose calls are measured, each in a span."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from telecine_chassis.telemetry.measurement import Measurement, measured
from telecine_chassis.telemetry.tracing import SpanKind, span
from telecine_generation.instruments import ProviderInstruments

from .port import (
    Accepted,
    Ambiguous,
    CancelOutcome,
    Deferred,
    Provider,
    ProviderTask,
    ProviderUnavailable,
    Refused,
    SubmissionMark,
    SubmitOutcome,
    SubmitRequest,
)

# Labels of a metric: dashboards and alerts select them.
SUBMIT_OUTCOMES: Mapping[type[SubmitOutcome], str] = {
    Accepted: "accepted",
    Refused: "refused",
    Deferred: "deferred",
    Ambiguous: "ambiguous",
}


class InstrumentedProvider:
    """`provider` with metrics and spans."""

    def __init__(self, provider: Provider, instruments: ProviderInstruments) -> None:
        self._provider = provider
        self._instruments = instruments

    async def submit(self, request: SubmitRequest) -> SubmitOutcome:
        """See Provider."""
        with self._measured("submit") as call:
            answer = await self._provider.submit(request)
            call.outcome = SUBMIT_OUTCOMES[type(answer)]
            return answer

    async def tasks(self, task_ids: Sequence[str], *, flex: bool = False) -> Mapping[str, ProviderTask]:
        """See Provider."""
        with self._measured("tasks", **{"telecine.tasks": len(task_ids)}) as call:
            found = await self._provider.tasks(task_ids, flex=flex)
            call.outcome = "answered"
            return found

    async def find(self, mark: SubmissionMark) -> ProviderTask | None:
        """See Provider."""
        with self._measured("find") as call:
            found = await self._provider.find(mark)
            call.outcome = "absent" if found is None else "found"
            return found

    async def cancel(self, task_id: str) -> CancelOutcome:
        """See Provider."""
        with self._measured("cancel") as call:
            answer = await self._provider.cancel(task_id)
            call.outcome = answer.value
            return answer

    async def aclose(self) -> None:
        """See Provider."""
        await self._provider.aclose()

    def _measured(self, operation: str, **attributes: int) -> AbstractContextManager[Measurement]:
        instruments = self._instruments
        return measured(
            instruments.calls,
            operation,
            seconds=instruments.seconds.labels(operation),
            running=instruments.running.labels(operation),
            span=span(f"provider {operation}", kind=SpanKind.CLIENT, attributes=attributes),
            errors={ProviderUnavailable: "unavailable"},
        )
