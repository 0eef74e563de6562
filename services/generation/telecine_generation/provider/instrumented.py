"""A provider whose calls are measured, and are steps of the trace under way."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from telecine_chassis.telemetry.tracing import SpanKind, span
from telecine_generation.instruments import ProviderInstruments

from .port import (
    CancelOutcome,
    Provider,
    ProviderTask,
    ProviderUnavailable,
    SubmissionMark,
    SubmitOutcome,
    SubmitRequest,
)


class _Call:
    """One call; `outcome` is a word from a short list."""

    outcome = "failed"


class InstrumentedProvider:
    """`provider`, observed."""

    def __init__(self, provider: Provider, meters: ProviderInstruments) -> None:
        self._provider = provider
        self._meters = meters

    async def submit(self, request: SubmitRequest) -> SubmitOutcome:
        """See Provider."""
        with self._call("submit") as call:
            answer = await self._provider.submit(request)
            call.outcome = type(answer).__name__.lower()
            return answer

    async def tasks(self, task_ids: Sequence[str]) -> Mapping[str, ProviderTask]:
        """See Provider."""
        with self._call("tasks", **{"telecine.tasks": len(task_ids)}) as call:
            found = await self._provider.tasks(task_ids)
            call.outcome = "answered"
            return found

    async def find(self, mark: SubmissionMark) -> ProviderTask | None:
        """See Provider."""
        with self._call("find") as call:
            found = await self._provider.find(mark)
            call.outcome = "absent" if found is None else "found"
            return found

    async def cancel(self, task_id: str) -> CancelOutcome:
        """See Provider."""
        with self._call("cancel") as call:
            answer = await self._provider.cancel(task_id)
            call.outcome = answer.value
            return answer

    async def aclose(self) -> None:
        """See Provider."""
        await self._provider.aclose()

    @contextmanager
    def _call(self, operation: str, **attributes: int) -> Iterator[_Call]:
        call = _Call()
        try:
            with (
                span(f"provider {operation}", kind=SpanKind.CLIENT, attributes=attributes) as step,
                self._meters.running.labels(operation).track_inprogress(),
                self._meters.seconds.labels(operation).time(),
            ):
                try:
                    yield call
                except ProviderUnavailable:
                    call.outcome = "unavailable"
                    raise
                finally:
                    step.set_attribute("telecine.outcome", call.outcome)
        finally:
            self._meters.calls.labels(operation, call.outcome).inc()
