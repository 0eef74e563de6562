"""Batching of single polls into few list calls."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.support.telemetry.spans import FinishedSpans, trace_of

from telecine_chassis.telemetry.tracing import Tracing
from telecine_generation.provider.memory import MemoryProvider
from telecine_generation.provider.poll_batch import PollBatch
from telecine_generation.provider.port import ProviderTask, ProviderUnavailable

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LONG = 3600.0


class Gated(MemoryProvider):
    """Responds to list calls after its gate was opened."""

    def __init__(self) -> None:
        super().__init__(lambda: NOON)
        self.gate = asyncio.Event()
        self.in_flight = 0
        self.most_in_flight = 0

    def know(self, *task_ids: str) -> "Gated":
        self.records |= {task_id: ProviderTask(task_id, "running") for task_id in task_ids}
        return self

    async def tasks(self, task_ids: Sequence[str], *, flex: bool = False) -> Mapping[str, ProviderTask]:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)  # lets others overlap with this one
            return await super().tasks(task_ids)
        finally:
            self.in_flight -= 1


def opened(provider: Gated) -> Gated:
    provider.gate.set()
    return provider


async def settle() -> None:
    """Runs all tasks that are ready, without letting time pass."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_requests_within_a_window_share_a_call() -> None:
    provider = opened(Gated()).know("a", "b")
    batch = PollBatch(provider, window=0.001)
    answers = await asyncio.gather(*(batch.task(task_id) for task_id in ("a", "b", "gone", "a")))
    assert [task.task_id if task else None for task in answers] == ["a", "b", None, "a"]
    assert provider.listings == [("a", "b", "gone")]


async def test_a_full_call_does_not_wait_for_the_window() -> None:
    provider = opened(Gated()).know(*"abcd")
    batch = PollBatch(provider, window=LONG, limit=2)
    await asyncio.gather(*(batch.task(task_id) for task_id in "abcd"))
    assert provider.listings == [("a", "b"), ("c", "d")]


async def test_a_later_poll_makes_a_new_call() -> None:
    provider = opened(Gated()).know("a")
    batch = PollBatch(provider, window=0)
    before = await batch.task("a")
    provider.advance("a", "succeeded")
    after = await batch.task("a")
    assert before and after and (before.status, after.status) == ("running", "succeeded")


async def test_concurrent_calls_are_bounded_and_other_polls_are_batched() -> None:
    provider = Gated().know(*"abcdef")
    batch = PollBatch(provider, window=0, limit=1, max_in_flight=2)
    questions = [asyncio.create_task(batch.task(task_id)) for task_id in "abcdef"]
    await settle()
    assert provider.in_flight == 2
    provider.gate.set()
    answers = await asyncio.gather(*questions)
    assert [task.task_id for task in answers if task] == list("abcdef")
    assert provider.most_in_flight == 2


async def test_a_failed_call_fails_only_its_own_requests() -> None:
    provider = opened(Gated()).know("a", "b", "c")
    provider.fail_reads(1)
    batch = PollBatch(provider, window=LONG, limit=2)
    failed = await asyncio.gather(batch.task("a"), batch.task("b"), return_exceptions=True)
    assert [type(error) for error in failed] == [ProviderUnavailable, ProviderUnavailable]
    later = await asyncio.gather(batch.task("a"), batch.task("c"))
    assert [task.task_id for task in later if task] == ["a", "c"]


@pytest.mark.parametrize("sent", [False, True])
async def test_a_cancelled_request_does_not_affect_the_others(sent: bool) -> None:
    provider = Gated().know("a", "b")
    batch = PollBatch(provider, window=LONG, limit=2 if sent else 3)
    impatient, patient = asyncio.create_task(batch.task("a")), asyncio.create_task(batch.task("b"))
    await settle()
    impatient.cancel()
    await settle()
    provider.gate.set()
    others = [asyncio.create_task(batch.task(task_id)) for task_id in ("c", "d")]
    done = await patient
    assert done and done.task_id == "b"
    assert impatient.cancelled()
    await asyncio.wait_for(batch.aclose(), 1)
    await asyncio.gather(*others, return_exceptions=True)


async def test_cancelled_polls_are_not_sent() -> None:
    provider = opened(Gated()).know("a", "b", "c")
    batch = PollBatch(provider, window=LONG, limit=3)
    impatient, patient = asyncio.create_task(batch.task("a")), asyncio.create_task(batch.task("b"))
    await settle()
    impatient.cancel()
    await settle()
    assert await batch.task("c")
    assert await patient
    assert provider.listings == [("b", "c")]


async def test_closing_fails_all_waiting_requests() -> None:
    provider = Gated().know("a", "b")
    batch = PollBatch(provider, window=LONG, limit=1, max_in_flight=1)
    questions = [asyncio.create_task(batch.task(task_id)) for task_id in ("a", "b")]
    await settle()
    await batch.aclose()
    for question in questions:
        with pytest.raises(ProviderUnavailable):
            await question
    with pytest.raises(ProviderUnavailable):
        await batch.task("a")
    assert provider.in_flight == 0


async def test_a_shared_call_has_its_own_trace_linked_to_all_requests() -> None:
    kept = FinishedSpans(InMemorySpanExporter())
    tracing = Tracing("tests")
    tracing.export(kept.exporter, at_once=True)
    batch = PollBatch(opened(Gated()).know("a", "b", "c"), window=0.001)

    async def ask(task_id: str) -> None:
        with tracing.entry_span("wake"):
            await batch.task(task_id)

    await asyncio.gather(*map(ask, "abc"))
    await ask("a")
    together, alone = kept.named("poll")
    assert together.parent is None
    asked, later = kept.named("wake")[:3], kept.named("wake")[3]
    assert sorted(map(trace_of, asked)) == sorted(f"{link.context.trace_id:032x}" for link in together.links)
    assert [kept.linked(wake) for wake in asked] == [[together]] * 3
    assert kept.parent(alone) == later
    assert (alone.links, kept.linked(later)) == ((), [])
