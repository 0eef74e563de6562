"""Calls to the provider are counted with outcomes that dashboards select."""

from datetime import UTC, datetime

import pytest
from tests.support.data.submit_requests import submit_request

from telecine_chassis.telemetry.metrics import Metrics
from telecine_contracts.generation import DeferralReason, FailureCode
from telecine_generation.instruments import ProviderInstruments
from telecine_generation.provider.instrumented import InstrumentedProvider
from telecine_generation.provider.memory import MemoryProvider
from telecine_generation.provider.port import ProviderUnavailable, SubmissionMark

NOW = datetime(2026, 11, 1, tzinfo=UTC)
REQUEST = submit_request(resolution="480p", safety_identifier="user-7")


class Harness:
    """An instrumented in-memory provider and its metrics."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.memory = MemoryProvider(lambda: NOW)
        self.provider = InstrumentedProvider(self.memory, ProviderInstruments(self.metrics))

    def count(self, operation: str, outcome: str) -> float | None:
        labels = {"operation": operation, "outcome": outcome}
        return self.metrics.registry.get_sample_value("telecine_provider_calls_total", labels)


@pytest.fixture
def harness() -> Harness:
    return Harness()


async def test_a_submission_is_counted_by_its_outcome(harness: Harness) -> None:
    harness.memory.refuse(FailureCode.INVALID_REQUEST, "InvalidParameter", "invalid")
    harness.memory.defer(DeferralReason.RATE_LIMITED, None)
    harness.memory.lose(accepted=True)
    for _ in range(4):
        await harness.provider.submit(REQUEST)
    outcomes = ("refused", "deferred", "ambiguous", "accepted")
    assert [harness.count("submit", outcome) for outcome in outcomes] == [1, 1, 1, 1]


async def test_other_calls_are_counted_by_their_outcome(harness: Harness) -> None:
    await harness.provider.submit(REQUEST)
    task_id = next(iter(harness.memory.records))
    await harness.provider.tasks([task_id])
    await harness.provider.find(SubmissionMark(1, "user-7", "m", NOW))
    await harness.provider.find(SubmissionMark(1, "user-8", "m", NOW))
    await harness.provider.cancel(task_id)
    harness.memory.fail_reads(1)
    with pytest.raises(ProviderUnavailable):
        await harness.provider.tasks([task_id])
    counted = [("tasks", "answered"), ("find", "found"), ("find", "absent"), ("cancel", "cancelled")]
    assert [harness.count(*labels) for labels in [*counted, ("tasks", "unavailable")]] == [1] * 5
