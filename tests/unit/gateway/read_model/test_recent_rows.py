"""What was read lately about generations and accounts stays in memory until an event changes it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.event import listen
from sqlmodel import create_engine
from tests.support.data.video_events import GenerationEvents

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.rows import new_row
from telecine_contracts.examples import envelope
from telecine_gateway.read_model.account_queries import AccountQueries, Expiry
from telecine_gateway.read_model.generations import apply_event
from telecine_gateway.read_model.projections import METADATA
from telecine_gateway.read_model.queries import (
    GenerationRows,
    HistoryFilters,
    Queries,
    Recent,
    RecentRows,
    table_of,
)
from telecine_gateway.read_model.tables import Balance, GenerationRow, GrantRow


class Tables:
    """The tables, with the number of reads."""

    def __init__(self) -> None:
        self.status = "processing"
        self.reads = 0
        self.blocked = asyncio.Event()
        self.blocked.set()

    async def read(self) -> GenerationRows:
        self.reads += 1
        row = new_row(GenerationRow, id="g1", account="ann", status=self.status)
        await self.blocked.wait()
        return GenerationRows(row, None)

    async def missing(self) -> GenerationRows | None:
        self.reads += 1
        return None


def generations(most: int = 10) -> RecentRows:
    return RecentRows("generation", most)


def events(generation: str = "g1") -> list[RecordedEvent]:
    event = GenerationEvents("ann", generation).submitted()
    return [RecordedEvent(event, envelope(event), 7)]


async def status(recent: RecentRows, tables: Tables) -> str:
    found = await recent.get("g1", "rows", tables.read)
    assert found is not None and found.row is not None
    return found.row.status


async def test_a_generation_is_read_once_until_an_event_changes_it() -> None:
    recent, tables = generations(), Tables()
    assert [await status(recent, tables), await status(recent, tables)] == ["processing"] * 2
    assert tables.reads == 1
    tables.status = "completed"
    recent.forget(events("other"))
    assert await status(recent, tables) == "processing"
    recent.forget(events())
    assert await status(recent, tables) == "completed"
    assert tables.reads == 2


async def test_a_read_that_began_before_a_change_is_not_kept() -> None:
    recent, tables = generations(), Tables()
    tables.blocked.clear()
    reading = asyncio.ensure_future(status(recent, tables))
    await asyncio.sleep(0)
    tables.status = "completed"
    recent.forget(events())
    tables.blocked.set()
    assert await reading == "processing"
    assert await status(recent, tables) == "completed"


async def test_memory_is_bounded_and_unknown_generations_are_not_kept() -> None:
    recent, tables = generations(most=2), Tables()
    for generation in ("g1", "g2", "g3"):
        await recent.get(generation, "rows", tables.read)
    assert len(recent) == 2
    await recent.get("nothing", "rows", tables.missing)
    await recent.get("nothing", "rows", tables.missing)
    assert tables.reads == 5


async def test_queries_answer_from_memory(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'tables.db'}")
    METADATA.create_all(engine)
    recent = Recent()
    queries = Queries(lambda: engine, recent)
    event = GenerationEvents("ann", "g1").requested()
    recorded = RecordedEvent(event, envelope(event), 1)
    row = apply_event(None, recorded)
    assert row is not None
    with engine.begin() as connection:
        connection.execute(table_of(GenerationRow).insert().values(**vars(row)))
    assert (await queries.generation("ann", "g1")).row == (await queries.generation("ann", "g1")).row
    assert len(recent.generations) == 1
    assert (await queries.generation("bob", "g1")).row is None, "kept, but of another account"
    with engine.begin() as connection:
        connection.execute(table_of(GenerationRow).update().values(status="completed"))
    assert await shown_status(queries) == "pending"
    recent.forget([recorded])
    assert await shown_status(queries) == "completed"
    engine.dispose()


async def shown_status(queries: Queries) -> str:
    row = (await queries.generation("ann", "g1")).row
    assert row is not None
    return row.status


async def test_after_a_change_of_the_slot_everything_is_read_again() -> None:
    recent, tables = generations(), Tables()
    await status(recent, tables)
    tables.blocked.clear()
    reading = asyncio.ensure_future(recent.get("g2", "rows", tables.read))
    await asyncio.sleep(0)
    recent.forget_all()
    tables.blocked.set()
    await reading
    assert len(recent) == 0


async def test_the_newest_pages_of_an_account_are_kept_until_its_next_event(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'tables.db'}")
    METADATA.create_all(engine)
    recent = Recent()
    queries = Queries(lambda: engine, recent)
    statements: list[str] = []
    listen(engine, "before_cursor_execute", lambda *of: statements.append(of[2]))
    event = GenerationEvents("ann", "g1").requested()
    recorded = RecordedEvent(event, envelope(event), 1)
    row = apply_event(None, recorded)
    assert row is not None

    async def shown(account: str = "ann", **filters: Any) -> list[str]:
        found = await queries.history(account, HistoryFilters(limit=20, **filters))
        return [row.id for row, _ in found]

    assert await shown() == []
    with engine.begin() as connection:
        connection.execute(table_of(GenerationRow).insert().values(**vars(row)))
    assert await shown() == [], "no event has said that the tables changed"
    assert await shown("bob") == []
    recent.forget([recorded])
    assert await shown() == ["g1"]
    statements.clear()
    assert (await shown(), await shown("bob"), statements) == (["g1"], [], [])
    assert await shown(status="completed") == [], "other pages are read from the tables"
    assert len(statements) == 1
    engine.dispose()


async def test_credits_that_expired_since_the_balance_was_read_are_not_shown(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'tables.db'}")
    METADATA.create_all(engine)
    noon = datetime(2026, 12, 1, 12, tzinfo=UTC)
    balance = {"account": "ann", "entry": 1, "available": 5, "held": 0, "at": noon, "closed": False}
    grant = {"account": "ann", "number": 1, "amount": 5, "kind": "paid", "available": 5, "granted_at": noon}
    grant |= {"held": 0, "spent": 0, "expired": 0, "taken_back": 0, "reference": "r", "reason": "s"}
    with engine.begin() as connection:
        connection.execute(table_of(Balance).insert().values(attributed=True, **balance))
        connection.execute(
            table_of(GrantRow).insert().values(usable_until=noon + timedelta(hours=1), **grant)
        )
    accounts = AccountQueries(Queries(lambda: engine, Recent()))

    async def expiry(now: datetime) -> Expiry | None:
        state = await accounts.state("ann", now)
        assert state is not None
        return state.next_expiry

    assert await expiry(noon) == Expiry(noon + timedelta(hours=1), 5)
    assert await expiry(noon + timedelta(hours=1)) is None
    engine.dispose()
