"""The emulator's callbacks: one per change of status, retries, and faults."""

from collections.abc import Iterator

import pytest
from tests.support.eventually import eventually
from tests.support.http_servers.callback_receiver import CallbackReceiver, callback_receiver
from tests.support.processes.emulator import EmulatorProcess


@pytest.fixture
def receiver() -> Iterator[CallbackReceiver]:
    with callback_receiver() as receiver:
        yield receiver


async def wait_for_callbacks(receiver: CallbackReceiver, count: int) -> list[str]:
    """The statuses, once `count` callbacks have arrived."""
    await eventually(lambda: len(receiver.bodies) >= count, what=f"got {receiver.statuses}")
    return receiver.statuses


async def test_each_change_of_status_is_sent_in_order(
    emulator: EmulatorProcess, receiver: CallbackReceiver
) -> None:
    task_id = emulator.create(callback_url=receiver.url)
    assert await wait_for_callbacks(receiver, 1) == ["queued"]
    emulator.finish(task_id)
    assert await wait_for_callbacks(receiver, 3) == ["queued", "running", "succeeded"]
    assert receiver.bodies[-1] == emulator.get(task_id)


@pytest.mark.parametrize("end", ["fail", "expire"])
async def test_failures_and_expiries_are_sent(
    emulator: EmulatorProcess, receiver: CallbackReceiver, end: str
) -> None:
    emulator.fault(end, times=1)
    last = emulator.finish(emulator.create(callback_url=receiver.url))
    assert (await wait_for_callbacks(receiver, 3))[-1] == last["status"]


async def test_a_cancellation_is_not_sent(emulator: EmulatorProcess, receiver: CallbackReceiver) -> None:
    task_id = emulator.create(callback_url=receiver.url)
    emulator.delete(task_id)
    other = emulator.create(callback_url=receiver.url)
    emulator.finish(other)
    await wait_for_callbacks(receiver, 4)
    assert [body["status"] for body in receiver.bodies if body["id"] == task_id] == ["queued"]


async def test_an_unacknowledged_success_is_sent_three_times(
    emulator: EmulatorProcess, receiver: CallbackReceiver
) -> None:
    receiver.answers[:] = [500, 500, 500, 500, 200]
    emulator.finish(emulator.create(callback_url=receiver.url))
    assert await wait_for_callbacks(receiver, 5) == [
        "queued",
        "running",
        "succeeded",
        "succeeded",
        "succeeded",
    ]


async def test_callbacks_can_be_duplicated(emulator: EmulatorProcess, receiver: CallbackReceiver) -> None:
    emulator.fault("callback_duplicate", times=1)
    emulator.finish(emulator.create(callback_url=receiver.url))
    assert await wait_for_callbacks(receiver, 6) == [
        "queued",
        "queued",
        "running",
        "running",
        "succeeded",
        "succeeded",
    ]


async def test_callbacks_can_be_reordered(emulator: EmulatorProcess, receiver: CallbackReceiver) -> None:
    emulator.fault("callback_reorder", times=1)
    emulator.finish(emulator.create(callback_url=receiver.url))
    assert await wait_for_callbacks(receiver, 3) == ["succeeded", "running", "queued"]


async def test_a_success_can_be_forged(emulator: EmulatorProcess, receiver: CallbackReceiver) -> None:
    emulator.fault("callback_forged", times=1)
    task_id = emulator.create(callback_url=receiver.url)
    assert await wait_for_callbacks(receiver, 2) == ["queued", "succeeded"]
    assert emulator.get(task_id)["status"] == "queued"
    assert receiver.bodies[1]["content"]["video_url"] == "https://forged.invalid/video.mp4"


async def test_callbacks_can_be_dropped(emulator: EmulatorProcess, receiver: CallbackReceiver) -> None:
    emulator.fault("callback_drop", times=1)
    emulator.finish(emulator.create(callback_url=receiver.url))
    sent = emulator.create(callback_url=receiver.url)
    emulator.finish(sent)
    await wait_for_callbacks(receiver, 3)
    assert {body["id"] for body in receiver.bodies} == {sent}


async def test_unreachable_callback_address_delays_nothing(emulator: EmulatorProcess) -> None:
    task_id = emulator.create(callback_url="http://127.0.0.1:9/callback")
    assert emulator.finish(task_id)["status"] == "succeeded"
