"""Tables follow a stream exactly, through poison, crashes and rebuilds, on every database that is at hand."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import structlog
from sqlalchemy import func
from sqlmodel import Session, select
from tests.support.environments.projections import (
    METADATA,
    AppliedEvent,
    Applier,
    ProjectionStarter,
    SimulatedCrash,
    applied_generations,
    projection_position,
)
from tests.support.environments.reactor import ReactorEnvironment, reactor_environment
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer
from tests.support.servers.postgres import Postgres

from telecine_chassis.eventstore.subscription import CatchUpSubscription
from telecine_chassis.projections import runner as runner_module
from telecine_chassis.projections.compaction import Compaction
from telecine_chassis.projections.projector import Projection, Projector
from telecine_chassis.projections.rebuild import rebuild
from telecine_chassis.projections.session import position_table, write_session
from telecine_chassis.projections.slots import Slots
from telecine_contracts import registry
from telecine_contracts.streams import VIDEO


@pytest.fixture(params=["sqlite", "postgres"])
def slots(request: pytest.FixtureRequest, tmp_path: Path) -> Slots:
    if request.param == "sqlite":
        return Slots(f"sqlite:///{tmp_path}/tables.db", METADATA, version=1)
    postgres: Postgres = request.getfixturevalue("postgres")
    return Slots(postgres.new_database(), METADATA, version=1)


@pytest.fixture
async def environment(nats: NatsServer) -> AsyncIterator[ReactorEnvironment]:
    async with reactor_environment(nats.url) as one:
        yield one


@pytest.fixture
async def projection_starter(
    environment: ReactorEnvironment, slots: Slots
) -> AsyncIterator[ProjectionStarter]:
    one = ProjectionStarter(environment, slots)
    yield one
    for projections in one.running:
        await projections.stop()


# Following


async def test_tables_of_another_stream_are_noticed(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    await environment.publish("g1")
    first = await projection_starter.start(Applier())
    await first.projections.wait()
    await projection_starter.stop(first)
    engine = projection_starter.slots.open(1)
    with engine.begin() as connection:
        connection.execute(position_table(METADATA).update().values(sequence=1000))
    engine.dispose()

    second = await projection_starter.start(Applier())

    await eventually(lambda: second.failures, what="the projection stops")
    assert second.failures == ["a projection stopped: ProjectionAheadOfStream"]


async def test_every_event_is_applied_once_across_restarts(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    applier, told = Applier(), list[str]()
    await environment.publish("g1", "g2")
    following = await projection_starter.start(applier, listener=told)
    await following.projections.wait()
    (last,) = await environment.publish("g3")
    await following.until(last)
    assert applied_generations(following.engine) == ["g1", "g2", "g3"]
    assert projection_position(following.engine) == last
    await projection_starter.stop(following)

    (last,) = await environment.publish("g4")
    following = await projection_starter.start(applier, listener=told)
    await following.until(last)
    assert applier.given == told == applied_generations(following.engine) == ["g1", "g2", "g3", "g4"]


async def test_rows_and_checkpoint_are_one_transaction(environment: ReactorEnvironment, slots: Slots) -> None:
    await environment.publish("g1", "g2", "g3")
    engine = slots.open(1)

    def projector(applier: Applier) -> Projector:
        return Projector(
            Projection("seen", VIDEO, applier),
            METADATA,
            engine,
            environment.client,
            registry(),
            "s",
            asyncio.Lock(),
            Compaction(engine, METADATA),
        )

    with pytest.raises(BaseExceptionGroup) as crashed:
        await projector(Applier(crash_at="g2")).run()
    assert crashed.group_contains(SimulatedCrash)
    assert (applied_generations(engine), projection_position(engine)) == ([], None)

    second = projector(Applier())
    following = asyncio.create_task(second.run())
    await second.caught_up.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert (applied_generations(engine), projection_position(engine)) == (["g1", "g2", "g3"], second.sequence)
    engine.dispose()


async def test_replicas_on_one_database_apply_an_event_once(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    one, two = Applier(), Applier()
    await environment.publish(*(f"g{n}" for n in range(20)))
    first, second = await projection_starter.start(one), await projection_starter.start(two)
    (last,) = await environment.publish("end")
    await first.until(last)
    await second.until(last)
    assert applied_generations(first.engine) == [*(f"g{n}" for n in range(20)), "end"]


async def test_a_projection_is_not_ready_before_it_has_caught_up(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    await environment.publish("g1")
    following = await projection_starter.start(Applier())
    problem = await following.projections.ready()
    assert problem is None or problem.startswith("projection seen is at 0 of")
    await following.projections.wait()
    assert await following.projections.ready() is None


async def test_a_stream_whose_end_was_purged_can_be_caught_up_with(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    """Forgetting an account leaves the stream's last sequence where nothing is any more."""
    await environment.publish("g1")
    await environment.client.jetstream().purge_stream("VIDEO")
    following = await projection_starter.start(Applier())
    async with asyncio.timeout(5):
        await following.projections.wait()
    (last,) = await environment.publish("g2")
    await following.until(last)


async def test_a_projection_that_can_follow_no_more_says_so(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    following = await projection_starter.start(Applier())
    await following.projections.wait()
    await environment.client.close()
    await eventually(lambda: following.failures)
    assert following.failures[0].startswith("a projection stopped")


@pytest.mark.parametrize("question", ["last", "head"])
async def test_stop_is_effective_at_any_point(
    environment: ReactorEnvironment,
    projection_starter: ProjectionStarter,
    monkeypatch: pytest.MonkeyPatch,
    question: str,
) -> None:
    """The client may swallow a cancellation that comes together with its answer."""
    asked = asyncio.Event()

    async def answer(_: CatchUpSubscription) -> int:
        asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(CatchUpSubscription, question, answer)
    following = await projection_starter.start(Applier())
    await asked.wait()
    async with asyncio.timeout(4):  # a swallowed cancellation would be repeated later than that
        await projection_starter.stop(following)
    assert following.failures == []


async def test_a_reader_that_waits_ends_the_wait_for_more_events(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    following = await projection_starter.start(Applier(), linger=3600)
    await following.projections.wait()
    first, second = await environment.publish("g1", "g2")
    following.projections.hurry("seen", second)
    await following.until(second)
    following.projections.hurry("seen", first)
    (third,) = await environment.publish("g3")
    following.projections.hurry("seen", third)
    await following.until(third)
    assert applied_generations(following.engine) == ["g1", "g2", "g3"]


def is_filled(watched: list[str], count: int) -> bool:
    return len(watched) == count


async def test_watchers_see_every_event_while_the_tables_wait_for_more(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    """Requests wait for watchers: small batches must not fill what is read ahead of a transaction."""
    watched: list[str] = []
    following = await projection_starter.start(Applier(), watcher=watched, linger=3600)
    await following.projections.wait()
    generations = [f"g{number}" for number in range(20)]
    for count, generation in enumerate(generations, 1):
        await environment.publish(generation)
        await eventually(partial(is_filled, watched, count), what="a watcher is called")
    assert watched == generations
    assert applied_generations(following.engine) == []


async def test_every_process_on_a_slot_hears_every_event(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    """Whichever of them has written it: what they keep in memory follows the tables."""
    heard: list[list[str]] = [[], []]
    for each in heard:
        following = await projection_starter.start(Applier(), listener=each)
        await following.projections.wait()
    generations = [f"g{number}" for number in range(20)]
    for generation in generations:
        await environment.publish(generation)
    for each in heard:
        await eventually(partial(is_filled, each, len(generations)), what="all events are heard")
    assert heard == [generations, generations]
    assert applied_generations(following.engine) == generations


# What can't be applied


async def test_what_can_not_be_applied_is_set_aside_and_the_rest_is_applied(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    applier = Applier(poison=frozenset({"bad1", "bad2"}))
    sequences = await environment.publish("g1", "bad1", "g2", "bad2", "g3")
    following = await projection_starter.start(applier)
    await following.until(sequences[-1])
    assert applied_generations(following.engine) == ["g1", "g2", "g3"]
    assert projection_position(following.engine) == sequences[-1]
    letters = await environment.kept()
    assert [(letter.consumer, letter.sequence, letter.error) for letter in letters] == [
        (f"{environment.service}-seen", sequences[1], "can't apply bad1"),
        (f"{environment.service}-seen", sequences[3], "can't apply bad2"),
    ]


async def test_what_is_no_event_is_set_aside_and_what_is_unknown_is_skipped(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter
) -> None:
    about = {"ce-id": "1", "ce-source": "s", "ce-time": "2026-11-02T12:00:00+00:00"}
    broken = await environment.publish_raw(b"{", about | {"ce-type": "generation.cancel_requested.v1"})
    bare = await environment.publish_raw(b"{}", None)
    await environment.publish_raw(b"{}", about | {"ce-id": "2", "ce-type": "generation.sung.v1"})
    (last,) = await environment.publish("g1")
    with structlog.testing.capture_logs() as logs:
        following = await projection_starter.start(Applier())
        await following.until(last)
    assert applied_generations(following.engine) == ["g1"]
    assert [(letter.sequence, letter.error_type) for letter in await environment.kept()] == [
        (broken, "BadEvent"),
        (bare, "BadEnvelope"),
    ]
    (warning,) = [entry for entry in logs if entry["event"] == "projection.unknown_event"]
    assert "generation.sung.v1" in warning["detail"]


# Rebuilding


@pytest.fixture
def fast_slot_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "POINTER_INTERVAL", timedelta(seconds=0.05))


async def rebuilt(environment: ReactorEnvironment, slots: Slots, applier: Applier | None = None) -> int:
    projections = [Projection("seen", VIDEO, applier or Applier())]
    return await rebuild(slots, projections, environment.client, registry(), service=environment.service)


def rows(slots: Slots, slot: int) -> list[str]:
    engine = slots.open(slot)
    try:
        return applied_generations(engine)
    finally:
        engine.dispose()


@pytest.mark.usefixtures("fast_slot_refresh")
async def test_a_rebuild_gives_the_same_rows_while_events_keep_coming(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter, slots: Slots
) -> None:
    await environment.publish(*(f"g{n}" for n in range(50)))
    following = await projection_starter.start(Applier())
    await following.projections.wait()
    before = following.engine

    publishing = asyncio.create_task(environment.publish(*(f"g{n}" for n in range(50, 150))))
    assert await rebuilt(environment, slots) == 2
    last = (await publishing)[-1]
    await eventually(lambda: following.engine is not before)

    await following.until(last)
    everything = [f"g{n}" for n in range(150)]
    assert applied_generations(following.engine) == everything
    assert slots.live() == 2
    assert rows(slots, 2) == everything
    assert rows(slots, 1) == everything[: len(rows(slots, 1))]

    assert await rebuilt(environment, slots) == 3
    assert rows(slots, 3) == everything
    assert following.failures == []


@pytest.mark.usefixtures("fast_slot_refresh")
async def test_running_projections_move_to_the_new_tables(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter, slots: Slots
) -> None:
    told: list[str] = []
    await environment.publish("g1")
    following = await projection_starter.start(Applier(), listener=told)
    await following.projections.wait()
    before = following.engine
    await rebuilt(environment, slots)
    await eventually(lambda: following.engine is not before)
    (last,) = await environment.publish("g2")
    await following.until(last)
    assert rows(slots, 2) == ["g1", "g2"]
    assert rows(slots, 1) == ["g1"]
    assert told == ["g1", "g2"]


async def test_what_a_broken_off_rebuild_left_is_thrown_away(
    environment: ReactorEnvironment, slots: Slots
) -> None:
    engine = slots.open(2)
    with Session(engine) as session:
        session.add(AppliedEvent(sequence=10**12, generation="left over"))
        session.commit()
    engine.dispose()
    await environment.publish("g1", "g2")
    assert await rebuilt(environment, slots) == 2
    assert rows(slots, 2) == ["g1", "g2"]


async def test_a_rebuild_that_is_broken_off_changes_nothing(
    environment: ReactorEnvironment, slots: Slots
) -> None:
    await environment.publish("g1", "g2")
    with pytest.raises(BaseExceptionGroup):
        await rebuilt(environment, slots, Applier(crash_at="g2"))
    assert slots.live() == 1
    assert await rebuilt(environment, slots) == 2


# Texts


def test_a_character_that_postgres_refuses_in_a_text_sets_nothing_aside(slots: Slots) -> None:
    engine = slots.open(1)
    with Session(engine) as session:
        session.add(AppliedEvent(sequence=1, generation="a\0b"))
        session.commit()
    kept = "a\0b" if engine.dialect.name == "sqlite" else "a\N{REPLACEMENT CHARACTER}b"
    with Session(engine) as session:
        assert session.exec(select(AppliedEvent.generation)).one() == kept
    engine.dispose()


# Writers side by side


def test_concurrent_writers_serialize(slots: Slots) -> None:
    """On SQLite a transaction that reads first and then writes would fail at once, whatever the timeout."""
    engine = slots.open(1)
    with Session(engine) as session:
        session.add(AppliedEvent(sequence=1, generation="g", times=0))
        session.commit()

    def add_one(_: int) -> None:
        with write_session(engine) as session:
            row = session.exec(select(AppliedEvent).with_for_update()).one()
            row.times += 1
            session.commit()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add_one, range(100)))
    with Session(engine) as session:
        assert session.exec(select(AppliedEvent.times)).one() == 100
        assert session.exec(select(func.count()).select_from(AppliedEvent)).one() == 1
    engine.dispose()


def test_slots_may_be_opened_by_many_at_once(slots: Slots) -> None:
    """Replicas of a service start side by side on a new database."""

    def start(_: int) -> int:
        slots.open(1).dispose()
        return slots.live()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(start, range(16))) == {1}
