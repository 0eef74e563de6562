"""A Postgres that refuses, breaks off or has no connection left: events wait, and none is set aside."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import make_url
from sqlmodel import create_engine
from tests.support.environments.projections import METADATA, Applier, Followed, Following, seen
from tests.support.environments.reactor import ReactorWorld, reactor_world
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, Postgres

from telecine_chassis.projections import availability, projector
from telecine_chassis.projections import engine as engines
from telecine_chassis.projections.slots import Slots

BREAK_OFF = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "PAUSE", 0.05)


@pytest.fixture
def slots(postgres: Postgres) -> Slots:
    return Slots(postgres.new_database(), METADATA, version=1)


@pytest.fixture
def operator(slots: Slots) -> Iterator[Engine]:
    """Somebody else's connections to the same database."""
    engine = create_engine(slots.url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture
async def world(nats: NatsServer) -> AsyncIterator[ReactorWorld]:
    async with reactor_world(nats.url) as one:
        yield one


@pytest.fixture
async def followed(world: ReactorWorld, slots: Slots) -> AsyncIterator[Followed]:
    one = Followed(world, slots)
    yield one
    for projections in one.running:
        await projections.stop()


async def goes_on(world: ReactorWorld, following: Following) -> None:
    """Everything was applied once, the next event is, and nothing was set aside."""
    (last,) = await world.publish("after")
    await following.until(last)
    assert seen(following.engine) == ["before", "meanwhile", "after"]
    assert await world.kept() == []
    assert following.failures == []


async def test_connections_that_are_broken_off_are_made_again(
    world: ReactorWorld, followed: Followed, operator: Engine
) -> None:
    following = await followed.start(Applier())
    await following.until(*await world.publish("before"))
    with operator.connect() as connection:
        assert connection.execute(BREAK_OFF).all()
    await following.until(*await world.publish("meanwhile"))
    await goes_on(world, following)


async def test_a_server_that_became_a_replica_is_left_for_the_one_that_leads(
    world: ReactorWorld, followed: Followed, postgres: Postgres, operator: Engine
) -> None:
    """Each connection is asked once and given up: the next one may come to another server."""
    following = await followed.start(Applier())
    await following.until(*await world.publish("before"))
    name = str(make_url(followed.slots.url).database)
    postgres.tell("ALTER DATABASE {} SET default_transaction_read_only = on", name)
    with operator.connect() as connection:
        connection.execute(BREAK_OFF)
    with structlog.testing.capture_logs() as logs:
        (meanwhile,) = await world.publish("meanwhile")
        await eventually(lambda: [log for log in logs if log["error"] == "InternalError"])
        assert following.sequence < meanwhile
        postgres.tell("ALTER DATABASE {} RESET default_transaction_read_only", name)
        await following.until(meanwhile)
    await goes_on(world, following)


async def test_a_connection_that_is_not_to_be_had_is_waited_for(
    world: ReactorWorld, followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "POOL", 1)
    monkeypatch.setattr(engines, "POOL_WAIT", 0.2)
    following = await followed.start(Applier())
    await following.until(*await world.publish("before"))
    with structlog.testing.capture_logs() as logs, ExitStack() as taken:
        for _ in range(2):
            taken.enter_context(await asyncio.to_thread(following.engine.connect))
        (meanwhile,) = await world.publish("meanwhile")
        await eventually(lambda: [log for log in logs if log["error"] == "TimeoutError"])
        assert following.sequence < meanwhile
    await following.until(meanwhile)
    await goes_on(world, following)


@pytest.mark.parametrize("refuse", ["max_page_count=1", "query_only=1"])
async def test_a_full_or_read_only_disk_is_waited_for_and_readiness_says_so(
    world: ReactorWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuse: str
) -> None:
    """SQLite's own "database or disk is full" and "attempt to write a readonly database"."""
    monkeypatch.setattr(projector, "REFUSED", 0)
    followed = Followed(world, Slots(f"sqlite:///{tmp_path}/tables.db", METADATA, version=1))
    following = await followed.start(Applier())
    await following.projections.wait()
    pragmas = [refuse]
    event.listen(
        following.engine.pool, "checkout", lambda raw, *_: raw.execute(f"PRAGMA {pragmas[-1]}").close()
    )
    many = [f"{number:060}" for number in range(150)]
    try:
        with structlog.testing.capture_logs() as logs:
            await world.publish(*many)
            await eventually(lambda: [log for log in logs if log["error"] == "OperationalError"])
            assert "takes no writes" in str(await following.projections.ready())
        pragmas += ["query_only=0"] if "query_only" in refuse else ["max_page_count=100000"]
        await following.until(world.last)
        assert await following.projections.ready() is None
        assert seen(following.engine) == many
        assert (await world.kept(), following.failures) == ([], [])
    finally:
        await followed.stop(following)
