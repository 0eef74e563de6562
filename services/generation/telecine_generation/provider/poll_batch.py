"""Batches polls: single tasks that are requested at nearly the same time are read with one list call."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, islice

import structlog

from telecine_chassis.telemetry.tracing import Span, current_span, linked_span

from .port import Provider, ProviderTask, ProviderUnavailable


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """A waiting caller and its span."""

    answer: asyncio.Future[ProviderTask | None]
    asking: Span = field(default_factory=current_span)


_Waiters = dict[str, list[_Waiter]]


class PollBatch:
    """Reads tasks from the provider, up to `limit` per call and with up to `max_in_flight` concurrent calls.

    `flex`: they are tasks of the offline tier. `window`: seconds that a poll waits for others to join its call. While
    all calls are in flight, polls join the next batch.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        flex: bool = False,
        window: float = 0.02,
        limit: int = 100,
        max_in_flight: int = 8,
    ) -> None:
        self._provider = provider
        self._flex = flex
        self._window = window
        self._limit = limit
        self._max_in_flight = max_in_flight
        self._waiting: _Waiters = {}
        self._calls: dict[asyncio.Task[None], _Waiters] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def task(self, task_id: str) -> ProviderTask | None:
        """The provider's current record of the task, None if it is unknown. Raises ProviderUnavailable."""
        if self._closed:
            raise ProviderUnavailable("closed")
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop.create_future())
        self._waiting.setdefault(task_id, []).append(waiter)
        if len(self._calls) < self._max_in_flight:  # else it is sent when a call has ended
            if len(self._waiting) >= self._limit:
                self._ask()
            elif self._timer is None:
                self._timer = loop.call_later(self._window, self._ask)
        return await waiter.answer

    async def aclose(self) -> None:
        """Stops polling; waiting callers get ProviderUnavailable."""
        self._closed = True
        self._stop_timer()
        calls = dict(self._calls)
        for waiters in [self._waiting, *calls.values()]:
            _fail(waiters, ProviderUnavailable("closed"))
        self._waiting = {}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    def _ask(self) -> None:
        self._stop_timer()
        self._forget_the_cancelled()
        while self._waiting and len(self._calls) < self._max_in_flight:
            batch = {
                task_id: self._waiting.pop(task_id) for task_id in list(islice(self._waiting, self._limit))
            }
            call = asyncio.create_task(self._call(batch))
            self._calls[call] = batch
            call.add_done_callback(self._answered)

    async def _call(self, batch: _Waiters) -> None:
        if len(batch) > 1:  # its log lines concern all tasks of the batch, not only the first caller's
            structlog.contextvars.clear_contextvars()
        try:
            with linked_span("poll", [waiter.asking for waiter in chain(*batch.values())]):
                found = await self._provider.tasks(list(batch), flex=self._flex)
        except Exception as error:
            _fail(batch, error)
            return
        for task_id, waiters in batch.items():
            for waiter in _open(waiters):
                waiter.answer.set_result(found.get(task_id))

    def _answered(self, call: asyncio.Task[None]) -> None:
        del self._calls[call]
        if self._waiting and self._timer is None:
            self._ask()

    def _forget_the_cancelled(self) -> None:
        live = {task_id: _open(waiters) for task_id, waiters in self._waiting.items()}
        self._waiting = {task_id: waiters for task_id, waiters in live.items() if waiters}

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _fail(waiters: _Waiters, error: Exception) -> None:
    for waiter in _open(chain(*waiters.values())):
        waiter.answer.set_exception(error)
        # Retrieved once, so that asyncio does not log it if the caller was cancelled before it resumes.
        waiter.answer.exception()


def _open(waiters: Iterable[_Waiter]) -> list[_Waiter]:
    return [waiter for waiter in waiters if not waiter.answer.done()]
