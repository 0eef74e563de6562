"""Generations that were read lately stay in memory until an event changes them."""

import asyncio
from pathlib import Path

from sqlmodel import create_engine
from tests.support.data.video_events import GenerationEvents

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.rows import new_row
from telecine_contracts.examples import envelope
from telecine_gateway.read_model.generations import apply_event
from telecine_gateway.read_model.projections import METADATA
from telecine_gateway.read_model.queries import GenerationRows, Queries, RecentGenerations, table_of
from telecine_gateway.read_model.tables import GenerationRow


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

    async def missing(self) -> GenerationRows:
        self.reads += 1
        return GenerationRows(None, None)


def events(generation: str = "g1") -> list[RecordedEvent]:
    event = GenerationEvents("ann", generation).submitted()
    return [RecordedEvent(event, envelope(event), 7)]


async def status(recent: RecentGenerations, tables: Tables) -> str:
    row = (await recent.get("g1", tables.read)).row
    assert row is not None
    return row.status


async def test_a_generation_is_read_once_until_an_event_changes_it() -> None:
    recent, tables = RecentGenerations(), Tables()
    assert [await status(recent, tables), await status(recent, tables)] == ["processing"] * 2
    assert tables.reads == 1
    tables.status = "completed"
    recent.forget(events("other"))
    assert await status(recent, tables) == "processing"
    recent.forget(events())
    assert await status(recent, tables) == "completed"
    assert tables.reads == 2


async def test_a_read_that_began_before_a_change_is_not_kept() -> None:
    recent, tables = RecentGenerations(), Tables()
    tables.blocked.clear()
    reading = asyncio.ensure_future(status(recent, tables))
    await asyncio.sleep(0)
    tables.status = "completed"
    recent.forget(events())
    tables.blocked.set()
    assert await reading == "processing"
    assert await status(recent, tables) == "completed"


async def test_memory_is_bounded_and_unknown_generations_are_not_kept() -> None:
    recent, tables = RecentGenerations(most=2), Tables()
    for generation in ("g1", "g2", "g3"):
        await recent.get(generation, tables.read)
    assert len(recent) == 2
    await recent.get("nothing", tables.missing)
    await recent.get("nothing", tables.missing)
    assert tables.reads == 5


async def test_queries_answer_from_memory(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'tables.db'}")
    METADATA.create_all(engine)
    recent = RecentGenerations()
    queries = Queries(lambda: engine, recent)
    event = GenerationEvents("ann", "g1").requested()
    recorded = RecordedEvent(event, envelope(event), 1)
    row = apply_event(None, recorded)
    assert row is not None
    with engine.begin() as connection:
        connection.execute(table_of(GenerationRow).insert().values(**vars(row)))
    assert (await queries.generation("ann", "g1")).row == (await queries.generation("ann", "g1")).row
    assert len(recent) == 1
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
    recent, tables = RecentGenerations(), Tables()
    await status(recent, tables)
    tables.blocked.clear()
    reading = asyncio.ensure_future(recent.get("g2", tables.read))
    await asyncio.sleep(0)
    recent.forget_all()
    tables.blocked.set()
    await reading
    assert len(recent) == 0
