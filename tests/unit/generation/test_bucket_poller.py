"""Submitted tasks are polled in buckets: by one replica each, in full calls, and only news touch a generation."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.support.data.generation_events import NOON, requested, started, submitted

from telecine_chassis.consumers.retry_policy import Permanent, Retry
from telecine_chassis.eventstore.command_handler import CommandHandler, Decider
from telecine_chassis.testing import InMemoryEventStore, InMemoryTimers, ManualClock
from telecine_chassis.timers.port import Timer
from telecine_contracts import Envelope, Event, registry, subjects
from telecine_contracts.generation import GenerationFailed, GenerationSubmitted
from telecine_generation.handlers.bucket_poller import LIST_SIZE, POLL, WAKE, BucketPoller
from telecine_generation.provider.memory import MemoryProvider
from telecine_generation.provider.port import ProviderTask
from telecine_generation.read_model.followed_tasks import BUCKETS, FollowedTasks, bucket_of, followed
from telecine_generation.rules.decider import decide
from telecine_generation.rules.generation import Generation, evolve
from telecine_generation.rules.polling_schedule import PollingSchedule

PACE = PollingSchedule()
MINUTE = 60


@dataclass
class Replica:
    """One generation process."""

    poller: BucketPoller
    tasks: FollowedTasks
    provider: MemoryProvider


@dataclass
class Replicas:
    """Several processes with the same events, timers and provider; timers are handled in turn."""

    count: int = 2
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))

    def __post_init__(self) -> None:
        self.store = InMemoryEventStore(registry())
        self.timers = InMemoryTimers(self.clock)
        self.records: dict[str, ProviderTask] = {}
        self.all = [self.replica() for _ in range(self.count)]
        self.woken: list[Timer] = []
        self.handled = 0

    def replica(self) -> Replica:
        provider = MemoryProvider(self.clock)
        provider.records = self.records
        decider = Decider(Generation(), decide, evolve)
        generations = CommandHandler(
            self.store, decider, source="telecine/generation", clock=self.clock, timeout=0.01
        )
        tasks = FollowedTasks(PACE.poll)
        tasks.load([])
        poller = BucketPoller(
            generations, provider, self.timers, tasks, schedule=PACE, silence=60, clock=self.clock
        )
        return Replica(poller, tasks, provider)

    async def submit(self, *generations: str, service_tier: str | None = None) -> None:
        """Append the events of submitted generations; the first replica has submitted them."""
        for generation in generations:
            task_id = f"cgt-{generation}"
            self.records[task_id] = ProviderTask(task_id, "queued")
            for event in (requested(), started(), submitted()):
                own = {"generation": generation, "provider_task_id": task_id, "service_tier": service_tier}
                await self.append(event.model_copy(update=own))
            for replica in self.all:
                task = followed(submission(generation, service_tier))
                if replica is self.all[0]:
                    await replica.poller.follow(task)
                else:
                    replica.tasks.add(task)

    async def append(self, event: Event) -> None:
        aggregate = subjects.video(*event.aggregate)
        found = await self.store.load(aggregate)
        envelope = Envelope(
            id=f"{event.aggregate}{event.type}", source="telecine/generation", type=event.type, time=self.clock(),
            subject=subjects.of_event(event), correlation="c", causation="c",
        )  # fmt: skip
        expected = found[-1].sequence if found else 0
        await self.store.append(event, envelope, aggregate=aggregate, expected=expected)

    async def run(self, seconds: float) -> None:
        """Let time pass; due timers are handled by the replicas in turn."""
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            for timer in self.timers.due():
                if timer.kind == WAKE:
                    self.woken.append(timer)
                    continue
                self.handled += 1
                await self.all[self.handled % len(self.all)].poller.poll_bucket(timer)

    def polls(self) -> Counter[str]:
        """How often each task was asked for."""
        listings = [listing for replica in self.all for listing in replica.provider.listings]
        return Counter(task_id for listing in listings for task_id in listing)

    async def events(self, generation: str) -> list[str]:
        return [found.event.action for found in await self.store.load(subjects.video("ann", generation))]


def submission(generation: str, service_tier: str | None = None) -> GenerationSubmitted:
    own = {"generation": generation, "provider_task_id": f"cgt-{generation}", "service_tier": service_tier}
    event = submitted().model_copy(update=own)
    assert isinstance(event, GenerationSubmitted)
    return event


def polls_of(generation: str, seconds: float) -> list[float]:
    """When the task is to be polled, in seconds since its submission."""
    tasks = FollowedTasks(PACE.poll)
    tasks.load([followed(submission(generation))])
    bucket, begin, found = bucket_of(generation), NOON.timestamp(), list[float]()
    while (moment := tasks.next_at(bucket) or 0) <= begin + seconds:
        tasks.take_due(bucket, begin, moment)
        found.append(moment - begin)
    return found


def same_bucket(count: int) -> list[str]:
    """Ids of generations in bucket 0."""
    ids = (f"g{number}" for number in range(100_000))
    return [id for id in ids if bucket_of(id) == 0][:count]


async def test_two_replicas_poll_each_task_at_its_pace_and_none_twice() -> None:
    replicas = Replicas()
    ids = [f"g{number}" for number in range(300)]
    await replicas.submit(*ids)
    await replicas.run(MINUTE)
    counts = replicas.polls()
    assert set(counts) == {f"cgt-{id}" for id in ids}
    assert all(0 <= len(polls_of(id, MINUTE)) - counts[f"cgt-{id}"] <= 1 for id in ids), (
        "the last tick may follow"
    )
    shares = [len(replica.provider.listings) for replica in replicas.all]
    assert min(shares) > sum(shares) / 4


async def test_what_has_not_changed_touches_no_generation() -> None:
    replicas = Replicas(1)
    await replicas.submit("g1")
    await replicas.run(10)
    replicas.records["cgt-g1"] = ProviderTask("cgt-g1", "running")
    await replicas.run(20)
    assert await replicas.events("g1") == [
        "requested", "submission_started", "submitted", "progressed", "progressed",
    ]  # fmt: skip
    assert replicas.timers.waiting.keys() == {(POLL, (str(bucket_of("g1")),))}, "no timer of its own"


async def test_a_full_bucket_is_polled_in_full_calls() -> None:
    replicas = Replicas(1)
    await replicas.submit(*same_bucket(1500))
    await replicas.run(MINUTE)
    sizes = [len(listing) for listing in replicas.all[0].provider.listings]
    assert max(sizes) == LIST_SIZE
    assert sum(sizes) / len(sizes) > LIST_SIZE / 2


async def test_tasks_of_the_offline_tier_have_lists_of_their_own() -> None:
    replicas = Replicas(1)
    plain, flex = same_bucket(2)
    await replicas.submit(plain)
    await replicas.run(MINUTE)
    provider = replicas.all[0].provider
    assert all(listing == (f"cgt-{plain}",) for listing in provider.listings)
    provider.flex.add(f"cgt-{flex}")
    await replicas.submit(flex, service_tier="flex")
    provider.succeed(f"cgt-{flex}")
    await replicas.run(MINUTE)
    assert all(len(listing) == 1 for listing in provider.listings)
    assert (await replicas.events(flex))[-1] == "ready"


async def test_a_success_ends_the_generation_and_its_polls() -> None:
    replicas = Replicas()
    await replicas.submit("g1")
    replicas.all[0].provider.succeed("cgt-g1")
    await replicas.run(MINUTE)
    assert (await replicas.events("g1"))[-1] == "ready"
    replicas.all[1].tasks.remove("g1")  # as the event says
    before = replicas.polls()
    await replicas.run(MINUTE)
    assert replicas.polls() == before
    assert replicas.timers.waiting == {}, "a bucket without tasks has no timer"


async def test_silence_of_the_provider_ends_a_generation_after_its_deadline() -> None:
    replicas = Replicas(1)
    await replicas.submit("g1")
    replicas.all[0].provider.fail_reads(10_000)
    await replicas.run(5 * MINUTE + 59)
    assert (await replicas.events("g1"))[-1] == "submitted"
    await replicas.run(20)
    assert (await replicas.events("g1"))[-1] == "failed"
    await replicas.run(2 * MINUTE)
    assert Timer(WAKE, ("ann", "g1")) in replicas.woken, "a late result may follow"


async def test_a_queued_task_is_cancelled_at_the_deadline() -> None:
    replicas = Replicas(1)
    await replicas.submit("g1")
    await replicas.run(5 * MINUTE + 2)
    assert replicas.all[0].provider.cancelled == ["cgt-g1"]
    [*_, failed] = await replicas.store.load(subjects.video("ann", "g1"))
    assert isinstance(failed.event, GenerationFailed)


async def test_one_generation_that_fails_delays_no_other_and_is_retried_by_its_own_timer() -> None:
    replicas = Replicas(1)
    bad, good = same_bucket(2)
    await replicas.submit(bad, good)
    stream = replicas.store.streams["VIDEO"]
    broken = next(at for at, message in enumerate(stream) if message.subject.split(".")[2] == bad)
    stream[broken] = type(stream[broken])(stream[broken].subject, broken + 1, stream[broken].headers, b"{}")
    for id in (bad, good):
        replicas.all[0].provider.succeed(f"cgt-{id}")
    await replicas.run(10)
    assert (await replicas.events(good))[-1] == "ready"
    assert replicas.woken[0] == Timer(WAKE, ("ann", bad))


async def test_a_callback_polls_its_task_now() -> None:
    replicas = Replicas()
    await replicas.submit("g1", "g2")
    replicas.all[1].provider.succeed("cgt-g1")
    assert await replicas.all[1].poller.poll_followed("g1")
    assert not await replicas.all[1].poller.poll_followed("unknown")
    assert replicas.polls() == {"cgt-g1": 1}
    assert (await replicas.events("g1"))[-1] == "ready"


async def test_the_timer_of_a_bucket_is_set_once_for_many_submissions() -> None:
    replicas = Replicas(1)
    ids = same_bucket(50)
    await replicas.submit(*ids)
    assert replicas.timers.waiting.keys() == {(POLL, ("0",))}
    assert replicas.all[0].poller._armed.keys() == {0}


async def test_a_lost_timer_is_due_and_covers_what_was_missed() -> None:
    replicas = Replicas(1)
    await replicas.submit("g1")
    replicas.timers.waiting.clear()
    await replicas.run(MINUTE)
    [pending] = replicas.all[0].poller.pending()
    assert replicas.polls() == {}
    await replicas.timers.set_if_absent(pending.timer, replicas.clock())
    await replicas.run(1)
    assert replicas.polls() == {"cgt-g1": 1}


@pytest.mark.parametrize("wrong", [-3600.0, 3600.0])
async def test_a_timer_of_a_process_with_a_wrong_clock_stops_no_polls(wrong: float) -> None:
    replicas = Replicas(1)
    await replicas.submit("g1")
    await replicas.run(30)
    name = POLL, (str(bucket_of("g1")),)
    state = {"polled_through": (replicas.clock() + timedelta(seconds=wrong)).timestamp()}
    replicas.timers.waiting[name] = replicas.clock(), Timer(*name, str(state).replace("'", '"').encode())
    before = replicas.polls()["cgt-g1"]
    await replicas.run(30)
    assert 4 <= replicas.polls()["cgt-g1"] - before <= 7


async def test_a_restarted_process_goes_on_where_the_bucket_was() -> None:
    replicas = Replicas(1)
    await replicas.submit(*(ids := same_bucket(20)))
    await replicas.run(3.5 * MINUTE)
    before = replicas.polls()
    replicas.all[0] = fresh = replicas.replica()
    for id in ids:
        fresh.tasks.add(followed(submission(id)))
    await replicas.run(15 * 1.2)
    listed = replicas.polls()
    assert set(listed.values()) <= {1, 2}
    assert set(before) == set(listed)


async def test_timers_that_no_version_sets_are_refused() -> None:
    poller = Replicas(1).all[0].poller
    for key in ("x", str(BUCKETS)):
        with pytest.raises(Permanent):
            await poller.poll_bucket(Timer(POLL, (key,)))


async def test_before_the_tables_are_read_a_timer_waits() -> None:
    replicas = Replicas(1)
    replicas.all[0].tasks._early = []
    with pytest.raises(Retry):
        await replicas.all[0].poller.poll_bucket(Timer(POLL, ("0",)))
