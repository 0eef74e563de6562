"""A key that nobody knows is looked for once more, and a flood of them asks the server seldom."""

import asyncio
from dataclasses import dataclass, field

import nats.errors
import pytest

from telecine_gateway.access import key_catch_up as new_keys_module
from telecine_gateway.access.key_catch_up import NewKeys


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
def new_keys(stream: Stream) -> NewKeys:
    return NewKeys(stream.newest, lambda: stream.reached, within=1)


async def test_nothing_is_waited_for_where_the_tables_have_everything(
    stream: Stream, new_keys: NewKeys
) -> None:
    await new_keys.caught_up()
    assert stream.asked == 1


async def test_the_tables_are_waited_for(stream: Stream, new_keys: NewKeys) -> None:
    stream.last = 3
    coming = asyncio.create_task(new_keys.caught_up())
    for sequence in (1, 2, 3):
        for _ in range(10):
            await asyncio.sleep(0)
        assert not coming.done()
        stream.reached = sequence
        new_keys.moved()
    await coming


async def test_a_flood_shares_its_questions(stream: Stream, new_keys: NewKeys) -> None:
    for _ in range(3):
        await asyncio.gather(*(new_keys.caught_up() for _ in range(100)))
    assert stream.asked == 3


async def test_who_comes_while_the_server_is_asked_gets_a_question_of_its_own(
    stream: Stream, new_keys: NewKeys
) -> None:
    first = asyncio.create_task(new_keys.caught_up())
    await stream.was_asked.wait()
    stream.last = stream.reached = 1
    second = asyncio.create_task(new_keys.caught_up())
    await asyncio.gather(first, second)
    assert stream.asked == 2


async def test_a_server_that_does_not_answer_has_one_question_at_a_time(
    stream: Stream, new_keys: NewKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_keys_module, "PAUSE", 0)
    stream.silent = asyncio.Event()
    waiting = [asyncio.create_task(new_keys.caught_up())]
    await stream.was_asked.wait()
    for _ in range(50):
        waiting.append(asyncio.create_task(new_keys.caught_up()))
        await asyncio.sleep(0)
    assert stream.asked == 1
    stream.silent.set()
    await asyncio.gather(*waiting)
    assert stream.asked == 2


async def test_who_goes_away_leaves_the_others_their_question(stream: Stream, new_keys: NewKeys) -> None:
    gone, other = asyncio.create_task(new_keys.caught_up()), asyncio.create_task(new_keys.caught_up())
    await asyncio.sleep(0)
    gone.cancel()
    await other
    assert gone.cancelled()
    assert stream.asked == 1


@pytest.mark.parametrize("trouble", [nats.errors.TimeoutError(), nats.errors.ConnectionClosedError()])
async def test_without_an_answer_nothing_is_new(
    stream: Stream, new_keys: NewKeys, trouble: Exception
) -> None:
    stream.last, stream.trouble = 3, trouble
    await new_keys.caught_up()
