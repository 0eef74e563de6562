"""The command `telecine projections rebuild`, and its output."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module

import typer
from sqlalchemy import MetaData, func, select
from sqlmodel import Session

from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.rebuild import rebuild
from telecine_chassis.projections.session import position_table
from telecine_chassis.projections.slots import Slots
from telecine_cli.target import Target, connected
from telecine_contracts import registry
from telecine_jetstream.client import NatsClient

__all__ = ["RebuildResult", "rebuild_one", "rebuild_services"]


@dataclass(frozen=True)
class RebuildResult:
    """A service's new tables: their row counts, and the sequence up to which each projection has read its stream."""

    slot: int
    rows: dict[str, int]
    sequences: dict[str, int]


async def rebuild_services(target: Target, services: Iterable[str], database_url: str | None) -> None:
    """Rebuild one service after the other and print the result of each. Raises CommandError."""
    async with connected(target) as connection:
        for service in services:
            done = await rebuild_one(connection, service, target.database(service, database_url))
            typer.echo(f"{service}: rebuilt (slot {done.slot})")
            for projection, sequence in done.sequences.items():
                typer.echo(f"  projection {projection}: read up to sequence {sequence}")
            for table, count in done.rows.items():
                typer.echo(f"  table {table}: {count} rows")


async def rebuild_one(connection: NatsClient, service: str, database_url: str) -> RebuildResult:
    """Fill new tables from the streams of `service` while the live ones are in use, then make the new ones live."""
    metadata: MetaData = import_module(f"telecine_{service}.read_model.tables").METADATA
    version: int = import_module(f"telecine_{service}.read_model.tables").VERSION
    projections: Sequence[Projection] = import_module(
        f"telecine_{service}.read_model.projections"
    ).PROJECTIONS
    slots = Slots(database_url, metadata, version)
    slot = await rebuild(slots, projections, connection, registry(), service=service)
    return await asyncio.to_thread(_slot_contents, slots, slot)


def _slot_contents(slots: Slots, slot: int) -> RebuildResult:
    progress = position_table(slots.metadata)
    engine = slots.open(slot)
    try:
        with Session(engine) as session:
            found = session.execute(select(progress.c.projection, progress.c.sequence)).all()
            rows = {
                table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
                for table in slots.metadata.sorted_tables
                if table is not progress
            }
    finally:
        engine.dispose()
    return RebuildResult(slot, rows, {row.projection: row.sequence for row in found})
