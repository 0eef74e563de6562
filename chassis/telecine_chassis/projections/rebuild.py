"""Rebuilds the tables of a service from its streams in a new slot."""

import asyncio
from collections.abc import Sequence
from typing import Any

from telecine_chassis.runtime.cancellation import cancel_and_wait
from telecine_contracts import Registry
from telecine_jetstream.client import NatsClient

from .compaction import Compaction
from .projector import Projection, Projector
from .slots import Slots

__all__ = ["rebuild"]


async def rebuild(
    slots: Slots,
    projections: Sequence[Projection],
    connection: NatsClient,
    registry: Registry,
    *,
    service: str,
) -> int:
    """Fill a new slot from the first event, beside the live one, then promote it; the number of the new slot.

    The service may run meanwhile: it switches when it sees the new pointer. A slot left by an interrupted rebuild is
    removed; the previous slot stays for a rollback.
    """
    old = await asyncio.to_thread(slots.live)
    new = old + 1
    await asyncio.to_thread(slots.drop, new)
    engine = await asyncio.to_thread(slots.open, new)
    writing = asyncio.Lock()
    compaction = Compaction(engine, slots.metadata)
    projectors = [
        Projector(p, slots.metadata, engine, connection, registry, service, writing, compaction)
        for p in projections
    ]
    tasks = [asyncio.create_task(projector.run()) for projector in projectors]
    done: asyncio.Future[Any] = asyncio.gather(*(projector.caught_up.wait() for projector in projectors))
    try:
        waited: list[asyncio.Future[Any]] = [done, *tasks]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
        await done
        await asyncio.to_thread(slots.promote, new)
    finally:
        await cancel_and_wait(done, *tasks)
        engine.dispose()
    if old > 1:
        await asyncio.to_thread(slots.drop, old - 1)
    return new
