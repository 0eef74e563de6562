"""How messages are acknowledged, asked for again, given up and replayed, on a real server."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import nats.errors
import pytest
from tests.support.environments.reactor import ReactorEnvironment, reactor_environment
from tests.support.eventually import eventually, eventually_async
from tests.support.servers.instances import NatsServer, shared_nats_server

from telecine_chassis.consumers import reactor as reactor_module
from telecine_chassis.consumers.monitor import ConsumerMonitor
from telecine_chassis.consumers.reactor import Permanent, Retry, RetryPolicy
from telecine_chassis.eventstore.command_handler import Cause
from telecine_chassis.eventstore.port import Unavailable
from telecine_chassis.timers.port import Timer
from telecine_contracts import Event
from telecine_jetstream import pull_consumer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with shared_nats_server(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
async def environment(server: NatsServer) -> AsyncIterator[ReactorEnvironment]:
    async with reactor_environment(server.url) as one:
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

    async def __call__(self, event: Event, cause: Cause) -> None:
        generation = event.about["generation"]
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


def wait_until_handled(environment: ReactorEnvironment) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return await environment.outstanding() == 0

    return check


def wait_for_dead_letters(environment: ReactorEnvironment, count: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return len(await environment.kept()) == count

    return check


# Acknowledgement


async def test_a_message_is_acknowledged_after_its_handler_has_returned(
    environment: ReactorEnvironment,
) -> None:
    handler = Handler(holding=frozenset({"g1"}))
    await environment.react(handler)
    await environment.publish("g1")
    await eventually(lambda: handler.calls == ["g1"])
    assert await environment.outstanding() == 1
    handler.gate.set()
    await eventually_async(wait_until_handled(environment))
    assert await environment.kept() == []


async def test_a_handler_gets_the_event_as_it_was_stored(environment: ReactorEnvironment) -> None:
    seen: list[tuple[Event, Cause]] = []

    async def handler(event: Event, cause: Cause) -> None:
        seen.append((event, cause))

    await environment.react(handler)
    await environment.publish("g1")
    await eventually_async(wait_until_handled(environment))
    (stored,) = await environment.store.load(f"video.{environment.account}.g1.*")
    assert seen == [(stored.event, Cause.of(stored.envelope))]


async def test_a_failed_message_is_asked_for_again_with_growing_pauses(
    environment: ReactorEnvironment,
) -> None:
    handler = Handler(troubles=[ValueError("once"), ValueError("twice")])
    await environment.react(handler, retries=RetryPolicy(first=0.2, longest=5, tries=3))
    await environment.publish("g1")
    await eventually_async(wait_until_handled(environment))
    first, second, third = handler.times
    assert second - first >= 0.15
    assert third - second >= 0.3
    assert (handler.finished, await environment.kept()) == (["g1"], [])


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
async def test_transient_errors_are_retried(environment: ReactorEnvironment, trouble: Exception) -> None:
    handler = Handler(troubles=[trouble] * 3)
    await environment.react(handler, retries=RetryPolicy(first=0.02, longest=0.05, tries=2))
    await environment.publish("g1")
    await eventually_async(wait_until_handled(environment))
    assert len(handler.calls) == 4
    assert await environment.kept() == []


@pytest.mark.parametrize(
    "patience", [Unavailable("the store is away"), Retry(0.02, "not yet")], ids=["passing", "retry"]
)
async def test_tries_count_failures_alone(environment: ReactorEnvironment, patience: Exception) -> None:
    """After an outage, or a wait that the handler asked for, one failure is not the last."""
    handler = Handler(troubles=[patience] * 2 + [ValueError("once")])
    await environment.react(handler, retries=RetryPolicy(first=0.02, longest=0.05, tries=2))
    await environment.publish("g1")
    await eventually_async(wait_until_handled(environment))
    assert (handler.finished, await environment.kept()) == (["g1"], [])


async def test_a_handler_may_say_when_it_wants_to_be_asked_again(environment: ReactorEnvironment) -> None:
    handler = Handler(troubles=[Retry(0.3, "not yet")])
    await environment.react(handler)
    await environment.publish("g1")
    await eventually_async(wait_until_handled(environment))
    assert handler.times[1] - handler.times[0] >= 0.3


# Dead letters


async def test_what_can_never_be_taken_is_kept_at_once_and_the_others_go_on(
    environment: ReactorEnvironment,
) -> None:
    handler = Handler(troubles=[Permanent("never debited")])
    await environment.react(handler, concurrency=1)
    (sequence, *_) = await environment.publish("g1", "g2", "g3")
    await eventually_async(wait_until_handled(environment))
    assert handler.calls == ["g1", "g2", "g3"]
    assert handler.finished == ["g2", "g3"]
    (letter,) = await environment.kept()
    (event,) = await environment.store.load(f"video.{environment.account}.g1.*")
    assert letter.model_dump(exclude={"id", "kept_at", "headers", "body"}, exclude_none=True) == {
        "service": environment.service,
        "consumer": f"{environment.service}-video",
        "stream": "VIDEO",
        "sequence": sequence,
        "subject": f"video.{environment.account}.g1.cancel_requested",
        "error_type": "Permanent",
        "error": "never debited",
        "tries": 1,
        "failures": 1,
        "shortened": False,
    }
    assert letter.headers["ce-id"] == event.envelope.id
    assert letter.kept_at is not None


async def test_after_its_last_try_a_message_is_kept(environment: ReactorEnvironment) -> None:
    handler = Handler(troubles=[ValueError(f"try {number}") for number in (1, 2, 3)])
    await environment.react(handler, retries=RetryPolicy(first=0.02, longest=0.05, tries=3))
    await environment.publish("g1")
    await eventually_async(wait_until_handled(environment))
    (letter,) = await environment.kept()
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
    environment: ReactorEnvironment, body: bytes, headers: dict[str, str] | None, error: str
) -> None:
    handler = Handler()
    await environment.react(handler)
    sequence = await environment.publish_raw(body, headers)
    await environment.publish("g1")
    await eventually_async(wait_until_handled(environment))
    (letter,) = await environment.kept()
    assert (letter.error_type, letter.sequence, letter.tries) == (error, sequence, 1)
    assert letter.shortened is (len(body) > 100_000)
    assert handler.calls == ["g1"]


async def test_a_message_of_a_newer_version_waits_and_is_no_dead_letter(
    environment: ReactorEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reactor_module, "UPGRADE_RECHECK", 0.1)
    handler = Handler()
    await environment.react(handler)
    await environment.publish_raw(b"{}", HEADERS | {"ce-type": "generation.cancel_requested.v2"})
    await environment.publish("g1")
    waiting = environment.meters.messages.labels(f"{environment.service}-video", "waiting")._value.get
    await eventually(lambda: handler.calls == ["g1"] and waiting() >= 3)
    assert await environment.kept() == []
    assert await environment.outstanding() == 1


async def test_when_too_many_wait_they_become_dead_letters(
    environment: ReactorEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages that wait count against what a consumer may have under way: others must not stand behind them."""
    monkeypatch.setattr(ConsumerMonitor, "is_congested", lambda watch, name: True)
    await environment.react(Handler())
    await environment.publish_raw(b"{}", HEADERS | {"ce-type": "generation.cancel_requested.v2"})
    await eventually_async(wait_for_dead_letters(environment, 1))
    assert (await environment.kept())[0].error_type == "UnknownEvent"


async def test_a_replayed_message_is_handled_again_and_not_published_again(
    environment: ReactorEnvironment,
) -> None:
    handler = Handler(troubles=[Permanent("before the fix")])
    await environment.react(handler)
    await environment.publish("g1")
    await eventually_async(wait_for_dead_letters(environment, 1))
    last = (await environment.client.jetstream().stream_info("VIDEO")).state.last_seq
    (letter,) = await environment.kept()

    await environment.letters.replay(letter)

    await eventually(lambda: handler.finished == ["g1"])
    assert handler.calls == ["g1", "g1"]
    assert await environment.kept() == []
    assert (await environment.client.jetstream().stream_info("VIDEO")).state.last_seq == last


async def test_a_replay_that_fails_again_is_kept_again_and_can_be_replayed(
    environment: ReactorEnvironment,
) -> None:
    handler = Handler(troubles=[Permanent("one"), Permanent("two")])
    await environment.react(handler)
    await environment.publish("g1")
    await eventually_async(wait_for_dead_letters(environment, 1))
    await environment.letters.replay((await environment.kept())[0])
    await eventually(lambda: len(handler.calls) == 2)
    await eventually_async(wait_for_dead_letters(environment, 1))

    again = (await environment.kept())[0]
    assert (again.stream, again.error, bool(again.body), again.failures) == ("VIDEO", "two", True, 2)
    await environment.letters.replay(again)

    await eventually(lambda: handler.finished == ["g1"])
    await eventually_async(wait_for_dead_letters(environment, 0))
    replayed = [
        one for one in await environment.letters.list(resolved=True) if one.service == environment.service
    ]
    assert [(one.resolution, one.failures) for one in replayed] == [("replayed", 1), ("replayed", 2)]


async def test_one_message_has_one_letter_however_often_it_fails_and_can_be_dismissed(
    environment: ReactorEnvironment,
) -> None:
    """As after a restore of the streams, when a consumer is given everything again."""
    handler = Handler(troubles=[Permanent(f"time {number}") for number in range(3)])
    reactor = await environment.react(handler)
    await environment.publish("g1")
    await eventually_async(wait_for_dead_letters(environment, 1))
    await environment.stop(reactor)
    await environment.client.jetstream().delete_consumer("VIDEO", f"{environment.service}-video")
    await environment.react(handler)
    await eventually(lambda: len(handler.calls) == 2)

    async def two_failures() -> bool:
        return [letter.failures for letter in await environment.kept()] == [2]

    await eventually_async(two_failures)
    (letter,) = await environment.kept()
    assert letter.error == "time 1"
    assert await environment.letters.count(environment.service) == {f"{environment.service}-video": 1}
    assert await environment.letters.get(letter.copies[0]) == letter

    await environment.letters.dismiss(letter, "written by hand")

    assert await environment.kept() == []
    assert await environment.letters.count(environment.service) == {}
    (gone,) = [
        one for one in await environment.letters.list(resolved=True) if one.service == environment.service
    ]
    assert (gone.resolution, gone.reason, gone.sequence) == ("dismissed", "written by hand", letter.sequence)
    assert handler.calls == ["g1", "g1"]


async def test_a_replay_of_what_is_gone_ends(environment: ReactorEnvironment) -> None:
    """An account may have been forgotten in the meantime."""
    handler = Handler(troubles=[Permanent("one")])
    await environment.react(handler)
    await environment.publish("g1")
    await eventually_async(wait_for_dead_letters(environment, 1))
    await environment.client.jetstream().purge_stream("VIDEO", subject=f"video.{environment.account}.*.*")
    await environment.letters.replay((await environment.kept())[0])
    await eventually_async(wait_for_dead_letters(environment, 1))
    assert handler.calls == ["g1"]


# Side by side


async def test_a_slow_handler_blocks_no_other_and_is_not_run_twice(environment: ReactorEnvironment) -> None:
    handler = Handler(holding=frozenset({"slow"}))
    ack_wait = 1.5
    await environment.react(handler, ack_wait=ack_wait)
    await environment.publish("slow", "g1", "g2", "g3")
    await eventually(lambda: sorted(handler.finished) == ["g1", "g2", "g3"])
    await environment.publish("g4")
    await eventually(lambda: "g4" in handler.finished)
    began, loop = handler.times[0], asyncio.get_running_loop()
    await eventually(lambda: loop.time() > began + 2.2 * ack_wait)
    handler.gate.set()
    await eventually_async(wait_until_handled(environment))
    assert Counter(handler.calls)["slow"] == 1


async def test_no_more_run_at_once_than_the_consumer_allows(environment: ReactorEnvironment) -> None:
    names = [f"g{number}" for number in range(10)]
    handler = Handler(holding=frozenset(names))
    await environment.react(handler, concurrency=3)
    await environment.publish(*names)
    await eventually(lambda: len(handler.calls) == 3)
    handler.gate.set()
    await eventually_async(wait_until_handled(environment))
    assert sorted(handler.finished) == names
    assert handler.most_at_once == 3


# Stopping


async def test_a_stop_waits_for_what_runs_and_leaves_the_rest(environment: ReactorEnvironment) -> None:
    handler = Handler(holding=frozenset({"g1"}))
    first = await environment.react(handler, concurrency=1, ack_wait=1)
    await environment.publish("g1", "g2", "g3", "g4")
    await eventually(lambda: handler.calls == ["g1"])

    stopping = asyncio.create_task(environment.stop(first))
    await eventually(lambda: stopping in asyncio.all_tasks())
    handler.gate.set()
    await stopping

    assert handler.finished == ["g1"]
    await eventually_async(lambda: has_outstanding(environment, 3))
    second = Handler()
    await environment.react(second, concurrency=1, ack_wait=1)
    await eventually_async(wait_until_handled(environment))
    assert sorted(second.calls) == ["g2", "g3", "g4"]


async def has_outstanding(environment: ReactorEnvironment, count: int) -> bool:
    return await environment.outstanding() == count


async def test_what_does_not_end_in_time_is_broken_off_and_delivered_again(
    environment: ReactorEnvironment,
) -> None:
    handler = Handler(holding=frozenset({"g1"}))
    first = await environment.react(handler, grace=0.1, ack_wait=1)
    await environment.publish("g1")
    await eventually(lambda: handler.calls == ["g1"])
    await environment.stop(first)
    assert handler.finished == []
    second = Handler()
    await environment.react(second, ack_wait=1)
    await eventually(lambda: second.finished == ["g1"])


# Consumers and servers that go away


async def test_without_its_consumer_a_reactor_does_not_start(environment: ReactorEnvironment) -> None:
    reactor = await environment.react(Handler())
    await environment.stop(reactor)
    await environment.client.jetstream().delete_consumer("VIDEO", f"{environment.service}-video")
    with pytest.raises(RuntimeError, match=r"-video does not exist: run `telecine provision`"):
        await reactor.start()


async def test_a_deleted_consumer_is_noticed(environment: ReactorEnvironment) -> None:
    reactor = await environment.react(Handler(), look_every=0.2)
    assert await reactor.ready() is None
    assert reactor.alive() is None
    await environment.client.jetstream().delete_consumer("VIDEO", f"{environment.service}-video")
    assert await reactor.ready() == f"consumer {environment.service}-video does not exist"
    await eventually(reactor.alive)
    assert reactor.alive() == f"consumer {environment.service}-video was deleted: run `telecine provision`"


async def test_a_refused_request_is_not_repeated_immediately(
    environment: ReactorEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer that was deleted, or in a cluster has no leader."""
    monkeypatch.setattr(pull_consumer, "REFUSED_DELAY", 3600)
    await environment.react(Handler())
    jetstream, consumer = environment.client.jetstream(), f"{environment.service}-video"
    requests = await environment.client.subscribe(f"$JS.API.CONSUMER.MSG.NEXT.VIDEO.{consumer}")
    await jetstream.delete_consumer("VIDEO", consumer)
    for _ in range(100):
        await jetstream.stream_info("VIDEO")
    assert requests.pending_msgs == 0


async def test_a_consumer_that_was_deleted_and_provisioned_again_delivers_again(
    environment: ReactorEnvironment,
) -> None:
    handler = Handler()
    await environment.react(handler)
    await environment.client.jetstream().delete_consumer("VIDEO", f"{environment.service}-video")
    await environment.provision_consumers()
    await environment.publish("g1")
    await eventually(lambda: handler.finished == ["g1"])


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
async def test_after_a_restart_of_the_server_it_goes_on(nats: NatsServer, how: str) -> None:
    async with reactor_environment(nats.url) as environment:
        handler = Handler()
        await environment.react(handler)
        await environment.publish("g1")
        await eventually_async(wait_until_handled(environment))
        if how == "SIGTERM":
            await nats.stop()
        else:
            nats.kill()
        await eventually(lambda: not environment.client.is_connected)
        await nats.start()
        await eventually(lambda: environment.client.is_connected)
        await environment.publish("g2")
        await eventually(lambda: "g2" in handler.finished)


# Timers


async def test_due_timers_go_to_the_handler_of_their_kind(environment: ReactorEnvironment) -> None:
    woken: list[Timer] = []

    async def wake(timer: Timer) -> None:
        woken.append(timer)

    await environment.react(Handler(), timers={"wake": wake})
    jetstream = environment.client.jetstream()
    await jetstream.publish(f"timers.due.{environment.service}.wake.ann.g1", b"hint", stream="TIMERS")
    await jetstream.publish(f"timers.due.{environment.service}.sing.ann", b"", stream="TIMERS")
    await eventually_async(wait_for_dead_letters(environment, 1))
    await eventually(lambda: woken)
    assert woken == [Timer("wake", ("ann", "g1"), b"hint")]
    (letter,) = await environment.kept()
    assert letter.error == "no handler for timers of kind sing"
