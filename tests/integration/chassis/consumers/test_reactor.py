"""How messages are acknowledged, asked for again, given up and replayed, on a real server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import nats.errors
import pytest
from tests.support.environments.reactor import ReactorWorld, reactor_world
from tests.support.eventually import eventually, eventually_async
from tests.support.servers.instances import NatsServer, nats_server_for_many_loops

from telecine_chassis.consumers import reactor as reactor_module
from telecine_chassis.consumers.monitor import ConsumerMonitor
from telecine_chassis.consumers.reactor import Permanent, Retry, RetryPolicy
from telecine_chassis.eventstore.port import RecordedEvent, Unavailable
from telecine_chassis.nats import connection as connection_module
from telecine_chassis.timers.port import Timer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server_for_many_loops(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
async def world(server: NatsServer) -> AsyncIterator[ReactorWorld]:
    async with reactor_world(server.url) as one:
        yield one


@dataclass
class Handler:
    """Notes what it is given; `troubles` are raised first, one each; those in `holding` wait for `gate`."""

    troubles: list[Exception] = field(default_factory=list)
    holding: frozenset[str] = frozenset()
    calls: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    most_at_once: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    _at_once: int = 0

    async def __call__(self, recorded: RecordedEvent) -> None:
        generation = recorded.event.about["generation"]
        self.calls.append(generation)
        self.times.append(asyncio.get_running_loop().time())
        if self.troubles:
            raise self.troubles.pop(0)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if generation in self.holding:
                await self.gate.wait()
            await asyncio.sleep(0)
        finally:
            self._at_once -= 1
        self.finished.append(generation)


def all_taken(world: ReactorWorld) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await world.outstanding() == 0

    return check


def letters_kept(world: ReactorWorld, count: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return len(await world.kept()) == count

    return check


# Acknowledgement


async def test_a_message_is_acknowledged_after_its_handler_has_returned(world: ReactorWorld) -> None:
    handler = Handler(holding=frozenset({"g1"}))
    await world.react(handler)
    await world.publish("g1")
    await eventually(lambda: handler.calls == ["g1"])
    assert await world.outstanding() == 1
    handler.gate.set()
    await eventually_async(all_taken(world))
    assert await world.kept() == []


async def test_a_handler_gets_the_event_as_it_was_stored(world: ReactorWorld) -> None:
    seen: list[RecordedEvent] = []

    async def handler(recorded: RecordedEvent) -> None:
        seen.append(recorded)

    await world.react(handler)
    await world.publish("g1")
    await eventually_async(all_taken(world))
    assert seen == list(await world.store.load(f"video.{world.account}.g1.*"))


async def test_a_failed_message_is_asked_for_again_with_growing_pauses(world: ReactorWorld) -> None:
    handler = Handler(troubles=[ValueError("once"), ValueError("twice")])
    await world.react(handler, retries=RetryPolicy(first=0.2, longest=5, tries=3))
    await world.publish("g1")
    await eventually_async(all_taken(world))
    first, second, third = handler.times
    assert second - first >= 0.15
    assert third - second >= 0.3
    assert (handler.finished, await world.kept()) == (["g1"], [])


async def test_pauses_do_not_grow_beyond_the_longest() -> None:
    retries = RetryPolicy(first=1, longest=30)
    assert all(0.75 <= retries.delay(1) <= 1 for _ in range(100))
    assert all(1.5 <= retries.delay(2) <= 2 for _ in range(100))
    assert all(22.5 <= retries.delay(tried) <= 30 for tried in (6, 7, 100, 10**6))


@pytest.mark.parametrize(
    "trouble",
    [Unavailable("x"), ConnectionRefusedError("x"), TimeoutError("x"), nats.errors.NoRespondersError()],
    ids=lambda error: type(error).__name__,
)
async def test_passing_troubles_are_outlasted(world: ReactorWorld, trouble: Exception) -> None:
    handler = Handler(troubles=[trouble] * 3)
    await world.react(handler, retries=RetryPolicy(first=0.02, longest=0.05, tries=2))
    await world.publish("g1")
    await eventually_async(all_taken(world))
    assert len(handler.calls) == 4
    assert await world.kept() == []


@pytest.mark.parametrize(
    "patience", [Unavailable("the store is away"), Retry(0.02, "not yet")], ids=["passing", "retry"]
)
async def test_tries_count_failures_alone(world: ReactorWorld, patience: Exception) -> None:
    """After an outage, or a wait that the handler asked for, one failure is not the last."""
    handler = Handler(troubles=[patience] * 2 + [ValueError("once")])
    await world.react(handler, retries=RetryPolicy(first=0.02, longest=0.05, tries=2))
    await world.publish("g1")
    await eventually_async(all_taken(world))
    assert (handler.finished, await world.kept()) == (["g1"], [])


async def test_a_handler_may_say_when_it_wants_to_be_asked_again(world: ReactorWorld) -> None:
    handler = Handler(troubles=[Retry(0.3, "not yet")])
    await world.react(handler)
    await world.publish("g1")
    await eventually_async(all_taken(world))
    assert handler.times[1] - handler.times[0] >= 0.3


# Dead letters


async def test_what_can_never_be_taken_is_kept_at_once_and_the_others_go_on(world: ReactorWorld) -> None:
    handler = Handler(troubles=[Permanent("never debited")])
    await world.react(handler, concurrency=1)
    (sequence, *_) = await world.publish("g1", "g2", "g3")
    await eventually_async(all_taken(world))
    assert handler.calls == ["g1", "g2", "g3"]
    assert handler.finished == ["g2", "g3"]
    (letter,) = await world.kept()
    (event,) = await world.store.load(f"video.{world.account}.g1.*")
    assert letter.model_dump(exclude={"id", "kept_at", "headers", "body"}, exclude_none=True) == {
        "service": world.service,
        "consumer": f"{world.service}-video",
        "stream": "VIDEO",
        "sequence": sequence,
        "subject": f"video.{world.account}.g1.cancel_requested",
        "error_type": "Permanent",
        "error": "never debited",
        "tries": 1,
        "failures": 1,
        "shortened": False,
    }
    assert letter.headers["ce-id"] == event.envelope.id
    assert letter.kept_at is not None


async def test_after_its_last_try_a_message_is_kept(world: ReactorWorld) -> None:
    handler = Handler(troubles=[ValueError(f"try {number}") for number in (1, 2, 3)])
    await world.react(handler, retries=RetryPolicy(first=0.02, longest=0.05, tries=3))
    await world.publish("g1")
    await eventually_async(all_taken(world))
    (letter,) = await world.kept()
    assert (letter.error_type, letter.error, letter.tries) == ("ValueError", "try 3", 3)
    assert handler.finished == []


HEADERS = {
    "ce-id": "1",
    "ce-source": "tests",
    "ce-type": "generation.cancel_requested.v1",
    "ce-time": "2026-11-02T12:00:00+00:00",
}


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        (b"\xff\xfe not json", HEADERS | {"content-type": "application/json"}, "BadEvent"),
        (b"{", HEADERS | {"content-type": "application/json"}, "BadEvent"),
        (b"{}", HEADERS, "BadEvent"),
        (b"", HEADERS, "BadEvent"),
        (b"{}", None, "BadEnvelope"),
        (b"{}", {"ce-id": "1"}, "BadEnvelope"),
        (b"{}", HEADERS | {"ce-time": "yesterday"}, "BadEnvelope"),
        (b"x" * (255 * 1024), HEADERS, "BadEvent"),
    ],
    ids=[
        "bytes", "half json", "no fields", "empty", "no headers", "some headers", "no time", "huge",
    ],
)  # fmt: skip
async def test_what_is_no_event_is_kept_at_once(
    world: ReactorWorld, body: bytes, headers: dict[str, str] | None, error: str
) -> None:
    handler = Handler()
    await world.react(handler)
    sequence = await world.publish_raw(body, headers)
    await world.publish("g1")
    await eventually_async(all_taken(world))
    (letter,) = await world.kept()
    assert (letter.error_type, letter.sequence, letter.tries) == (error, sequence, 1)
    assert letter.shortened is (len(body) > 100_000)
    assert handler.calls == ["g1"]


async def test_a_message_of_a_newer_version_waits_and_is_no_dead_letter(
    world: ReactorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactor_module, "UPGRADE", 0.1)
    handler = Handler()
    await world.react(handler)
    await world.publish_raw(b"{}", HEADERS | {"ce-type": "generation.cancel_requested.v2"})
    await world.publish("g1")
    waiting = world.meters.messages.labels(f"{world.service}-video", "waiting")._value.get
    await eventually(lambda: handler.calls == ["g1"] and waiting() >= 3)
    assert await world.kept() == []
    assert await world.outstanding() == 1


async def test_when_too_many_wait_they_become_dead_letters(
    world: ReactorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages that wait count against what a consumer may have under way: others must not stand behind them."""
    monkeypatch.setattr(ConsumerMonitor, "is_congested", lambda watch, name: True)
    await world.react(Handler())
    await world.publish_raw(b"{}", HEADERS | {"ce-type": "generation.cancel_requested.v2"})
    await eventually_async(letters_kept(world, 1))
    assert (await world.kept())[0].error_type == "UnknownEvent"


async def test_a_replayed_message_is_handled_again_and_not_published_again(world: ReactorWorld) -> None:
    handler = Handler(troubles=[Permanent("before the fix")])
    await world.react(handler)
    await world.publish("g1")
    await eventually_async(letters_kept(world, 1))
    last = (await world.client.jetstream().stream_info("VIDEO")).state.last_seq
    (letter,) = await world.kept()

    await world.letters.replay(letter)

    await eventually(lambda: handler.finished == ["g1"])
    assert handler.calls == ["g1", "g1"]
    assert await world.kept() == []
    assert (await world.client.jetstream().stream_info("VIDEO")).state.last_seq == last


async def test_a_replay_that_fails_again_is_kept_again_and_can_be_replayed(world: ReactorWorld) -> None:
    handler = Handler(troubles=[Permanent("one"), Permanent("two")])
    await world.react(handler)
    await world.publish("g1")
    await eventually_async(letters_kept(world, 1))
    await world.letters.replay((await world.kept())[0])
    await eventually(lambda: len(handler.calls) == 2)
    await eventually_async(letters_kept(world, 1))

    again = (await world.kept())[0]
    assert (again.stream, again.error, bool(again.body), again.failures) == ("VIDEO", "two", True, 2)
    await world.letters.replay(again)

    await eventually(lambda: handler.finished == ["g1"])
    await eventually_async(letters_kept(world, 0))
    replayed = [one for one in await world.letters.list(resolved=True) if one.service == world.service]
    assert [(one.resolution, one.failures) for one in replayed] == [("replayed", 1), ("replayed", 2)]


async def test_one_message_has_one_letter_however_often_it_fails_and_can_be_dismissed(
    world: ReactorWorld,
) -> None:
    """As after a restore of the streams, when a consumer is given everything again."""
    handler = Handler(troubles=[Permanent(f"time {number}") for number in range(3)])
    reactor = await world.react(handler)
    await world.publish("g1")
    await eventually_async(letters_kept(world, 1))
    await world.stop(reactor)
    await world.client.jetstream().delete_consumer("VIDEO", f"{world.service}-video")
    await world.react(handler)
    await eventually(lambda: len(handler.calls) == 2)

    async def two_failures() -> bool:
        return [letter.failures for letter in await world.kept()] == [2]

    await eventually_async(two_failures)
    (letter,) = await world.kept()
    assert letter.error == "time 1"
    assert await world.letters.count(world.service) == {f"{world.service}-video": 1}
    assert await world.letters.get(letter.copies[0]) == letter

    await world.letters.dismiss(letter, "written by hand")

    assert await world.kept() == []
    assert await world.letters.count(world.service) == {}
    (gone,) = [one for one in await world.letters.list(resolved=True) if one.service == world.service]
    assert (gone.resolution, gone.reason, gone.sequence) == ("dismissed", "written by hand", letter.sequence)
    assert handler.calls == ["g1", "g1"]


async def test_a_replay_of_what_is_gone_ends(world: ReactorWorld) -> None:
    """An account may have been forgotten in the meantime."""
    handler = Handler(troubles=[Permanent("one")])
    await world.react(handler)
    await world.publish("g1")
    await eventually_async(letters_kept(world, 1))
    await world.client.jetstream().purge_stream("VIDEO", subject=f"video.{world.account}.*.*")
    await world.letters.replay((await world.kept())[0])
    await eventually_async(letters_kept(world, 1))
    assert handler.calls == ["g1"]


# Side by side


async def test_a_slow_handler_blocks_nobody_and_is_not_run_twice(world: ReactorWorld) -> None:
    handler = Handler(holding=frozenset({"slow"}))
    ack_wait = 1.5
    await world.react(handler, ack_wait=ack_wait)
    await world.publish("slow", "g1", "g2", "g3")
    await eventually(lambda: sorted(handler.finished) == ["g1", "g2", "g3"])
    await world.publish("g4")
    await eventually(lambda: "g4" in handler.finished)
    began, loop = handler.times[0], asyncio.get_running_loop()
    await eventually(lambda: loop.time() > began + 2.2 * ack_wait)
    handler.gate.set()
    await eventually_async(all_taken(world))
    assert Counter(handler.calls)["slow"] == 1


async def test_no_more_run_at_once_than_the_consumer_allows(world: ReactorWorld) -> None:
    names = [f"g{number}" for number in range(10)]
    handler = Handler(holding=frozenset(names))
    await world.react(handler, concurrency=3)
    await world.publish(*names)
    await eventually(lambda: len(handler.calls) == 3)
    handler.gate.set()
    await eventually_async(all_taken(world))
    assert sorted(handler.finished) == names
    assert handler.most_at_once == 3


# Stopping


async def test_a_stop_waits_for_what_runs_and_leaves_the_rest(world: ReactorWorld) -> None:
    handler = Handler(holding=frozenset({"g1"}))
    first = await world.react(handler, concurrency=1, ack_wait=1)
    await world.publish("g1", "g2", "g3", "g4")
    await eventually(lambda: handler.calls == ["g1"])

    stopping = asyncio.create_task(world.stop(first))
    await eventually(lambda: stopping in asyncio.all_tasks())
    handler.gate.set()
    await stopping

    assert handler.finished == ["g1"]
    await eventually_async(lambda: outstanding_is(world, 3))
    second = Handler()
    await world.react(second, concurrency=1, ack_wait=1)
    await eventually_async(all_taken(world))
    assert sorted(second.calls) == ["g2", "g3", "g4"]


async def outstanding_is(world: ReactorWorld, count: int) -> bool:
    return await world.outstanding() == count


async def test_what_does_not_end_in_time_is_broken_off_and_delivered_again(world: ReactorWorld) -> None:
    handler = Handler(holding=frozenset({"g1"}))
    first = await world.react(handler, grace=0.1, ack_wait=1)
    await world.publish("g1")
    await eventually(lambda: handler.calls == ["g1"])
    await world.stop(first)
    assert handler.finished == []
    second = Handler()
    await world.react(second, ack_wait=1)
    await eventually(lambda: second.finished == ["g1"])


# Consumers and servers that go away


async def test_without_its_consumer_a_reactor_does_not_start(world: ReactorWorld) -> None:
    reactor = await world.react(Handler())
    await world.stop(reactor)
    await world.client.jetstream().delete_consumer("VIDEO", f"{world.service}-video")
    with pytest.raises(RuntimeError, match=r"-video does not exist: run `telecine provision`"):
        await reactor.start()


async def test_a_deleted_consumer_is_noticed(world: ReactorWorld) -> None:
    reactor = await world.react(Handler(), look_every=0.2)
    assert await reactor.ready() is None
    assert reactor.alive() is None
    await world.client.jetstream().delete_consumer("VIDEO", f"{world.service}-video")
    assert await reactor.ready() == f"consumer {world.service}-video does not exist"
    await eventually(reactor.alive)
    assert reactor.alive() == f"consumer {world.service}-video was deleted: run `telecine provision`"


async def test_where_nobody_answers_is_not_asked_without_end(
    world: ReactorWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer that was deleted, or in a cluster has no leader."""
    monkeypatch.setattr(connection_module, "REFUSED", 3600)
    await world.react(Handler())
    jetstream, consumer = world.client.jetstream(), f"{world.service}-video"
    questions = await world.client.subscribe(f"$JS.API.CONSUMER.MSG.NEXT.VIDEO.{consumer}")
    await jetstream.delete_consumer("VIDEO", consumer)
    await questions.next_msg(timeout=5)
    for _ in range(100):
        await jetstream.stream_info("VIDEO")
    assert questions.pending_msgs <= 1


@pytest.mark.parts("restart")
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
async def test_after_a_restart_of_the_server_it_goes_on(nats: NatsServer, how: str) -> None:
    async with reactor_world(nats.url) as world:
        handler = Handler()
        await world.react(handler)
        await world.publish("g1")
        await eventually_async(all_taken(world))
        if how == "SIGTERM":
            await nats.stop()
        else:
            nats.kill()
        await eventually(lambda: not world.client.is_connected)
        await nats.start()
        await eventually(lambda: world.client.is_connected)
        await world.publish("g2")
        await eventually(lambda: "g2" in handler.finished)


async def test_a_connection_that_is_closed_for_good_leaves_the_others_alone(world: ReactorWorld) -> None:
    """The loop that asks for messages asks again and again, and is to let everything else go on meanwhile."""
    reactor = await world.react(Handler())
    [broker] = world.brokers
    assert broker._connection is not None
    await broker._connection.close()
    for _ in range(3):
        assert await reactor.ready() is None


# Timers


async def test_due_timers_go_to_the_handler_of_their_kind(world: ReactorWorld) -> None:
    woken: list[Timer] = []

    async def wake(timer: Timer) -> None:
        woken.append(timer)

    await world.react(Handler(), timers={"wake": wake})
    jetstream = world.client.jetstream()
    await jetstream.publish(f"timers.due.{world.service}.wake.ann.g1", b"hint", stream="TIMERS")
    await jetstream.publish(f"timers.due.{world.service}.sing.ann", b"", stream="TIMERS")
    await eventually_async(letters_kept(world, 1))
    await eventually(lambda: woken)
    assert woken == [Timer("wake", ("ann", "g1"), b"hint")]
    (letter,) = await world.kept()
    assert letter.error == "no handler for timers of kind sing"
