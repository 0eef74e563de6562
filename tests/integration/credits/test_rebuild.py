"""The tables of credits follow the ledger on SQLite and on Postgres, and a rebuild gives the same rows."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel, select
from tests.support.environments.credits import credits_environment, last_action_is
from tests.support.eventually import eventually
from tests.support.servers.instances import NatsServer

from telecine_chassis.projections.slots import Slots
from telecine_cli.output.projections import rebuild_one
from telecine_contracts.commands import AdjustCredits, CloseAccount
from telecine_contracts.credits import LedgerEvent
from telecine_credits.read_model.queries import expirable_grants
from telecine_credits.read_model.tables import METADATA, VERSION, AccountRow, GrantRow, HoldRow


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/tables.db"
    return str(request.getfixturevalue("postgres").new_database())


@pytest.fixture
def slots(url: str) -> Slots:
    return Slots(url, METADATA, VERSION)


@pytest.fixture
def live(slots: Slots) -> Iterator[Engine]:
    engine = slots.open(1)
    yield engine
    engine.dispose()


def rows(engine: Engine, model: type[SQLModel]) -> list[dict[str, Any]]:
    with Session(engine) as session:
        found = [row.model_dump() for row in session.exec(select(model))]
    return sorted(found, key=lambda row: (row["account"], row.get("entry", 0)))


def last_generation(name: str) -> Callable[[Sequence[LedgerEvent]], bool]:
    """Whether the last entry is of this generation."""
    return lambda entries: bool(entries) and entries[-1].about.get("generation") == name


async def test_the_tables_follow_the_ledger_and_a_rebuild_gives_the_same(
    nats: NatsServer, tmp_path: Path, url: str, slots: Slots, live: Engine
) -> None:
    async with credits_environment(nats, tmp_path, database_url=url) as world:
        soon, later = (datetime.now(UTC) + timedelta(minutes=minutes) for minutes in (10, 30))
        await world.grant(50, reference="one", expires_at=soon)
        await world.grant(100, reference="two", expires_at=later)
        for credits, generation in ((30, "held"), (40, "spent")):
            await world.requested(credits, generation=generation)
            await world.until(last_generation(generation))
        await world.delivered("spent")
        await world.until(last_action_is("settled"))
        asked = AdjustCredits(account="ann", corrects=2, amount=10, reference="ticket")
        await world.ask(AdjustCredits.subject, asked)
        await world.grant(5, account="ben")
        await world.ask(CloseAccount.subject, CloseAccount(account="ben"))
        await eventually(lambda: [row["entry"] for row in rows(live, AccountRow)] == [6, 2])

        first, second, _ = rows(live, GrantRow)
        assert (first["held"], first["spent"], first["usable_until"]) == (30, 20, soon)
        assert (second["available"], second["spent"], second["taken_back"]) == (70, 20, 10)
        assert [(row["available"], row["held"], row["is_closed"]) for row in rows(live, AccountRow)] == [
            (70, 30, False),
            (5, 0, True),
        ]
        assert [(row["generation"], row["parts"]) for row in rows(live, HoldRow)] == [("held", [[1, 30]])]
        assert expirable_grants(live, later) == [("ann", 2, later)]

    async with credits_environment(nats, tmp_path, started=False) as idle:
        rebuilt = await rebuild_one(idle.connection, "credits", url)
    new = slots.open(rebuilt.slot)
    try:
        for model in (AccountRow, GrantRow, HoldRow):
            assert rows(new, model) == rows(live, model)
    finally:
        new.dispose()
