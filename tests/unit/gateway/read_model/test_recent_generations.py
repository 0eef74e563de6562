"""Generations that were read lately stay in memory until an event changes them."""

import asyncio

from tests.support.data.video_events import GenerationEvents

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.rows import new_row
from telecine_contracts.examples import envelope
from telecine_gateway.read_model.queries import GenerationRows, RecentGenerations
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
