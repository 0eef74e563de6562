"""Unknown API keys are looked up once more, with a limited rate of requests to the server."""

import asyncio
from dataclasses import dataclass, field

import nats.errors
import pytest

from telecine_gateway.access import key_catch_up as new_keys_module
from telecine_gateway.access.key_catch_up import ApiKeyCatchUp


@dataclass
class Stream:
    """ACCESS, and the tables behind it."""

    last: int = 0
    reached: int = 0
    asked: int = 0
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    trouble: Exception | None = None
    silent: asyncio.Event | None = None

    async def newest(self) -> int:
        self.asked += 1
        self.was_asked.set()
        await asyncio.sleep(0)
        if self.silent is not None:
            await self.silent.wait()
        if self.trouble is not None:
            raise self.trouble
        return self.last


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def catch_up(stream: Stream) -> ApiKeyCatchUp:
    return ApiKeyCatchUp(stream.newest, lambda: stream.reached, within=1)


async def test_an_up_to_date_projection_is_not_waited_for(stream: Stream, catch_up: ApiKeyCatchUp) -> None:
    await catch_up.catch_up()
    assert stream.asked == 1


async def test_a_lagging_projection_is_waited_for(stream: Stream, catch_up: ApiKeyCatchUp) -> None:
    stream.last = 3
    coming = asyncio.create_task(catch_up.catch_up())
    for sequence in (1, 2, 3):
        for _ in range(10):
            await asyncio.sleep(0)
        assert not coming.done()
        stream.reached = sequence
        catch_up.advanced()
    await coming


async def test_concurrent_lookups_share_requests(stream: Stream, catch_up: ApiKeyCatchUp) -> None:
    for _ in range(3):
        await asyncio.gather(*(catch_up.catch_up() for _ in range(100)))
    assert stream.asked == 3


async def test_a_lookup_during_a_request_gets_a_new_request(stream: Stream, catch_up: ApiKeyCatchUp) -> None:
    first = asyncio.create_task(catch_up.catch_up())
    await stream.was_asked.wait()
    stream.last = stream.reached = 1
    second = asyncio.create_task(catch_up.catch_up())
    await asyncio.gather(first, second)
    assert stream.asked == 2


async def test_an_unresponsive_server_gets_one_request_at_a_time(
    stream: Stream, catch_up: ApiKeyCatchUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_keys_module, "MIN_INTERVAL", 0)
    stream.silent = asyncio.Event()
    waiting = [asyncio.create_task(catch_up.catch_up())]
    await stream.was_asked.wait()
    for _ in range(50):
        waiting.append(asyncio.create_task(catch_up.catch_up()))
        await asyncio.sleep(0)
    assert stream.asked == 1
    stream.silent.set()
    await asyncio.gather(*waiting)
    assert stream.asked == 2


async def test_a_cancelled_lookup_does_not_cancel_the_shared_request(
    stream: Stream, catch_up: ApiKeyCatchUp
) -> None:
    gone, other = asyncio.create_task(catch_up.catch_up()), asyncio.create_task(catch_up.catch_up())
    await asyncio.sleep(0)
    gone.cancel()
    await other
    assert gone.cancelled()
    assert stream.asked == 1


@pytest.mark.parametrize("trouble", [nats.errors.TimeoutError(), nats.errors.ConnectionClosedError()])
async def test_catch_up_ends_without_a_reply_of_the_server(
    stream: Stream, catch_up: ApiKeyCatchUp, trouble: Exception
) -> None:
    stream.last, stream.trouble = 3, trouble
    await catch_up.catch_up()
