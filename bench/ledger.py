"""Debits a second of the credits service, fed from a full stream, beside the same number of bare appends."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.data.video_events import GenerationEvents

from bench.report import figure
from bench.stack import BenchStack, running
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.nats.connection import connect
from telecine_cli.ledger_client import grant
from telecine_contracts import Envelope, registry, subjects
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_jetstream.client import NatsClient

WRITERS = 64
OTHERS = ("gateway", "generation", "storage")


async def measure_debits(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """One account, whose debits follow each other, and many accounts."""
    count, accounts = (400, 50) if quick else (4_000, 1_000)
    rows = []
    async with running(folder) as bench:
        for names, writers, goal in ((1, 1, "one account"), (accounts, WRITERS, f"{accounts} accounts")):
            owners = [f"bench-{names}-{number}" for number in range(names)]
            bare, debits = await _measure(bench, owners, count, writers)
            rows.append(
                figure(
                    f"debits a second, {goal}",
                    debits,
                    "/s",
                    against=f"appends of the same number of requests, {writers} in flight",
                    limit=bare,
                    goal="ratio >= 0.8",
                )
            )
    return rows


async def _measure(bench: BenchStack, owners: Sequence[str], count: int, writers: int) -> tuple[float, float]:
    slots = asyncio.Semaphore(32)

    async def give(owner: str) -> None:
        async with slots:
            await grant(
                bench.connection,
                GrantCredits(
                    account=owner,
                    amount=1_000_000,
                    reference="bench",
                    reason="bench",
                    kind=GrantKind.PROMOTIONAL,
                ),
            )

    await asyncio.gather(*(give(owner) for owner in owners))
    with bench.frozen(*OTHERS):
        await bench.stack.stop("credits")
        nats = bench.stack.config.nats
        gateway = await connect(nats.url, "gateway", access=nats.access("gateway"))
        try:
            bare = await _append(gateway, owners, count, writers)
        finally:
            await gateway.close()
        jetstream = bench.connection.jetstream()
        before = (await jetstream.stream_info("LEDGER")).state.last_seq
        await bench.stack.start("credits")
        while (await jetstream.stream_info("LEDGER")).state.last_seq < before + count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        first = await jetstream.get_msg("LEDGER", seq=before + 1)
        last = await jetstream.get_msg("LEDGER", seq=before + count)
    assert first.time is not None and last.time is not None
    return bare, round((count - 1) / (last.time - first.time).total_seconds())


async def _append(link: NatsClient, owners: Sequence[str], count: int, writers: int) -> float:
    store, numbers = JetStreamEventStore(link, registry()), iter(range(count))

    async def write() -> None:
        for number in numbers:
            event = GenerationEvents(owners[number % len(owners)], f"{number:08}").requested()
            id = f"{event.account}-{number}"
            envelope = Envelope(
                id=id,
                source="telecine/gateway",
                type=event.type,
                time=datetime.now(UTC),
                subject=subjects.of_event(event),
                correlation=id,
                causation=id,
            )
            await store.append(event, envelope, aggregate=subjects.video(*event.aggregate), expected=0)

    begun = time.perf_counter()
    await asyncio.gather(*(write() for _ in range(writers)))
    return round(count / (time.perf_counter() - begun))
