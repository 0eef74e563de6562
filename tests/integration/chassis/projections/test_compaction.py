"""Rows that were erased are in no file of the database any more, whatever interrupts it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.support.environments.projections import (
    METADATA,
    AppliedEvent,
    Applier,
    ProjectionStarter,
    applied_generations,
)
from tests.support.environments.reactor import reactor_environment
from tests.support.eventually import eventually
from tests.support.security.secret_leaks import files_with
from tests.support.servers.instances import NatsServer
from tests.support.servers.postgres import Postgres

from telecine_chassis.projections.compaction import Compaction
from telecine_chassis.projections.rows import RowCache, Rows, new_row
from telecine_chassis.projections.slots import Slots

CANARY = "canary0b6f2c"


@pytest.fixture(params=["sqlite", "postgres"])
def slots(request: pytest.FixtureRequest, tmp_path: Path) -> Slots:
    if request.param == "sqlite":
        return Slots(f"sqlite:///{tmp_path}/my.tables.db", METADATA, version=2)
    postgres: Postgres = request.getfixturevalue("postgres")
    return Slots(postgres.new_database(), METADATA, version=2)


@pytest.fixture
async def starter(nats: NatsServer, slots: Slots) -> AsyncIterator[ProjectionStarter]:
    async with reactor_environment(nats.url) as environment:
        one = ProjectionStarter(environment, slots)
        yield one
        for projections in one.running:
            await projections.stop()


def fill(engine: Engine) -> None:
    with engine.execution_options(write=True).begin() as connection:
        rows = Rows(RowCache(engine), connection)
        for number in range(1, 200):
            name = CANARY if number % 2 else "other"
            rows.add(AppliedEvent, new_row(AppliedEvent, sequence=number, generation=name))
        rows.write()


def erase(engine: Engine, compaction: Compaction) -> bool:
    with engine.execution_options(write=True).begin() as connection:
        rows = Rows(RowCache(engine), connection)
        rows.erase(AppliedEvent, generation=CANARY)
        if rows.has_erased:
            compaction.request(connection)
        return rows.has_erased


def test_erased_rows_are_gone_from_all_files(slots: Slots, tmp_path: Path) -> None:
    engine = slots.open(1)
    compaction = Compaction(engine, METADATA)
    fill(engine)
    assert not compaction.is_due()
    assert erase(engine, compaction)
    assert compaction.is_due()
    assert compaction.run()
    assert not compaction.is_due()
    assert files_with(tmp_path, CANARY) == set()
    assert applied_generations(engine) == ["other"] * 99
    assert not erase(engine, compaction)
    engine.dispose()


def test_a_row_of_the_same_transaction_is_erased_too(slots: Slots) -> None:
    engine = slots.open(1)
    with engine.execution_options(write=True).begin() as connection:
        rows = Rows(RowCache(engine), connection)
        rows.add(AppliedEvent, new_row(AppliedEvent, sequence=1, generation=CANARY))
        rows.insert(AppliedEvent, sequence=2, generation=CANARY, times=1)
        rows.erase(AppliedEvent, generation=CANARY)
        assert rows.get(AppliedEvent, 1) is None
        rows.add(AppliedEvent, new_row(AppliedEvent, sequence=3, generation=CANARY))
        rows.write()
        assert rows.has_erased
    assert applied_generations(engine) == [CANARY]
    engine.dispose()


async def test_a_compaction_that_a_crash_prevented_is_made_at_the_next_start(
    starter: ProjectionStarter, tmp_path: Path
) -> None:
    engine = starter.slots.open(1)
    compaction = Compaction(engine, METADATA)
    fill(engine)
    erase(engine, compaction)
    engine.dispose()
    following = await starter.start(Applier())
    compaction = Compaction(following.engine, METADATA)
    await eventually(lambda: not compaction.is_due())
    assert files_with(tmp_path, CANARY) == set()


def test_older_slots_are_removed_and_newer_ones_stay(slots: Slots) -> None:
    versions = {version: Slots(slots.url, METADATA, version=version) for version in (1, 2, 3)}
    for version, number in ((1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 1)):
        versions[version].open(number).dispose()
    slots.drop_older(2)
    assert sorted(slots.existing()) == [(2, 2), (2, 3), (3, 1)]
