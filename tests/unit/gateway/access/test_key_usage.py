"""Uses of keys are recorded beside requests: once a day, again after a failure, and never in the way of a stop."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.support.eventually import eventually

from telecine_chassis.eventstore.port import Unavailable
from telecine_chassis.testing import ManualClock
from telecine_gateway.access import key_usage
from telecine_gateway.access.key_rules import USE_INTERVAL, RecordUse
from telecine_gateway.access.key_usage import RETRY_INTERVAL, KeyUsage


@dataclass
class Recorder:
    """Where uses are appended."""

    uses: list[RecordUse] = field(default_factory=list)
    is_unavailable: bool = False
    hold: asyncio.Event | None = None

    async def __call__(self, use: RecordUse) -> None:
        if self.hold is not None:
            await self.hold.wait()
        self.uses.append(use)
        if self.is_unavailable:
            raise Unavailable("the event store does not answer")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def usage(recorder: Recorder, clock: ManualClock) -> AsyncIterator[KeyUsage]:
    usage = KeyUsage(recorder, clock)
    await usage.start()
    yield usage
    await usage.stop()


async def recorded(recorder: Recorder, count: int) -> None:
    await eventually(lambda: len(recorder.uses) == count)


async def test_first_use_is_recorded_and_the_next_after_a_day(
    usage: KeyUsage, recorder: Recorder, clock: ManualClock
) -> None:
    for _ in range(3):
        usage.note("acme", "key_1", None)
    usage.note("acme", "key_2", None)
    await recorded(recorder, 2)
    clock.advance(USE_INTERVAL.total_seconds())
    usage.note("acme", "key_1", None)
    await recorded(recorder, 3)

    assert recorder.uses[-1] == RecordUse(account="acme", key_id="key_1", at=clock())


async def test_use_that_another_gateway_recorded_is_not_recorded_again(
    usage: KeyUsage, recorder: Recorder, clock: ManualClock
) -> None:
    usage.note("acme", "key_1", clock() - timedelta(hours=23))
    usage.note("acme", "key_2", clock() - timedelta(hours=25))
    await recorded(recorder, 1)

    assert recorder.uses[0].key_id == "key_2"


async def test_use_that_could_not_be_recorded_is_tried_again_after_a_minute(
    usage: KeyUsage, recorder: Recorder, clock: ManualClock
) -> None:
    recorder.is_unavailable = True
    usage.note("acme", "key_1", None)
    await recorded(recorder, 1)
    usage.note("acme", "key_1", None)
    recorder.is_unavailable = False
    clock.advance(RETRY_INTERVAL.total_seconds())
    usage.note("acme", "key_1", None)
    await recorded(recorder, 2)


async def test_stop_does_not_wait_for_a_silent_event_store(
    recorder: Recorder, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_usage, "STOP_TIMEOUT", 0.01)
    recorder.hold = asyncio.Event()
    usage = KeyUsage(recorder, clock)
    usage.note("acme", "key_1", None)
    await usage.stop()

    assert recorder.uses == []


async def test_what_is_remembered_is_bounded(
    usage: KeyUsage, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_usage, "MAX_KEYS", 2)
    for number in range(5):
        usage.note("acme", f"key_{number}", None)
    await recorded(recorder, 5)

    assert len(usage._recorded) == 2
