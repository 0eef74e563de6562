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
from tests.support.environments.projections import (
    METADATA,
    Applier,
    ProjectionStarter,
    RunningProjections,
    applied_generations,
)
from tests.support.environments.reactor import ReactorEnvironment, reactor_environment
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer, Postgres

from telecine_chassis.projections import availability, projector
from telecine_chassis.projections import engine as engines
from telecine_chassis.projections.slots import Slots

TERMINATE_BACKENDS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture(autouse=True)
def short_retry_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "RETRY_INTERVAL", 0.05)


@pytest.fixture
def slots(postgres: Postgres) -> Slots:
    return Slots(postgres.new_database(), METADATA, version=1)


@pytest.fixture
def admin_connection(slots: Slots) -> Iterator[Engine]:
    """Connections of another client to the same database."""
    engine = create_engine(slots.url, isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


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


async def assert_projecting(environment: ReactorEnvironment, following: RunningProjections) -> None:
    """Everything was applied once, the next event is, and nothing was set aside."""
    (last,) = await environment.publish("after")
    await following.until(last)
    assert applied_generations(following.engine) == ["before", "meanwhile", "after"]
    assert await environment.kept() == []
    assert following.failures == []


async def test_connections_that_are_broken_off_are_made_again(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter, admin_connection: Engine
) -> None:
    following = await projection_starter.start(Applier())
    await following.until(*await environment.publish("before"))
    with admin_connection.connect() as connection:
        assert connection.execute(TERMINATE_BACKENDS).all()
    await following.until(*await environment.publish("meanwhile"))
    await assert_projecting(environment, following)


async def test_a_server_that_became_a_replica_is_left_for_the_one_that_leads(
    environment: ReactorEnvironment,
    projection_starter: ProjectionStarter,
    postgres: Postgres,
    admin_connection: Engine,
) -> None:
    """Each connection is asked once and given up: the next one may come to another server."""
    following = await projection_starter.start(Applier())
    await following.until(*await environment.publish("before"))
    name = str(make_url(projection_starter.slots.url).database)
    postgres.tell("ALTER DATABASE {} SET default_transaction_read_only = on", name)
    with admin_connection.connect() as connection:
        connection.execute(TERMINATE_BACKENDS)
    with structlog.testing.capture_logs() as logs:
        (meanwhile,) = await environment.publish("meanwhile")
        await eventually(lambda: [log for log in logs if log["error"] == "InternalError"])
        assert following.sequence < meanwhile
        postgres.tell("ALTER DATABASE {} RESET default_transaction_read_only", name)
        await following.until(meanwhile)
    await assert_projecting(environment, following)


async def test_a_connection_that_is_not_to_be_had_is_waited_for(
    environment: ReactorEnvironment, projection_starter: ProjectionStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "POOL", 1)
    monkeypatch.setattr(engines, "POOL_WAIT", 0.2)
    following = await projection_starter.start(Applier())
    await following.until(*await environment.publish("before"))
    with structlog.testing.capture_logs() as logs, ExitStack() as taken:
        for _ in range(2):
            taken.enter_context(await asyncio.to_thread(following.engine.connect))
        (meanwhile,) = await environment.publish("meanwhile")
        await eventually(lambda: [log for log in logs if log["error"] == "TimeoutError"])
        assert following.sequence < meanwhile
    await following.until(meanwhile)
    await assert_projecting(environment, following)


@pytest.mark.parametrize("refuse", ["max_page_count=1", "query_only=1"])
async def test_a_full_or_read_only_disk_is_waited_for_and_readiness_says_so(
    environment: ReactorEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuse: str
) -> None:
    """SQLite's own "database or disk is full" and "attempt to write a readonly database"."""
    monkeypatch.setattr(projector, "STALE_AFTER", 0)
    projection_starter = ProjectionStarter(
        environment, Slots(f"sqlite:///{tmp_path}/tables.db", METADATA, version=1)
    )
    following = await projection_starter.start(Applier())
    await following.projections.wait()
    pragmas = [refuse]
    event.listen(
        following.engine.pool, "checkout", lambda raw, *_: raw.execute(f"PRAGMA {pragmas[-1]}").close()
    )
    many = [f"{number:060}" for number in range(150)]
    try:
        with structlog.testing.capture_logs() as logs:
            await environment.publish(*many)
            await eventually(lambda: [log for log in logs if log["error"] == "OperationalError"])
            assert "takes no writes" in str(await following.projections.ready())
        pragmas += ["query_only=0"] if "query_only" in refuse else ["max_page_count=100000"]
        await following.until(environment.last)
        assert await following.projections.ready() is None
        assert applied_generations(following.engine) == many
        assert (await environment.kept(), following.failures) == ([], [])
    finally:
        await projection_starter.stop(following)
