"""How fast an emptied gateway fills its tables again."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.data.video_events import GenerationEvents

from bench.report import figure
from bench.stack import BenchStack, running
from telecine_chassis.eventstore.subscription import CatchUpSubscription
from telecine_chassis.nats.connection import connect
from telecine_contracts import Envelope, Event, encode, subjects
from telecine_contracts.commands import GrantCredits
from telecine_contracts.credits import GrantKind
from telecine_contracts.pricing import seed_price
from telecine_contracts.streams import LEDGER, VIDEO
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.commands import Debit, Settle, TimedCommand
from telecine_credits.rules.decider import decide

SERVICES = ("gateway", "credits", "generation", "storage")
ACCOUNTS = 100
IN_FLIGHT = 200


async def measure_rebuilding(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """The time from the start of a gateway without a database until it is ready."""
    generations = 1_000 if quick else 12_500
    async with running(folder) as bench:
        for name in SERVICES:
            await bench.stack.stop(name)
        empty = await _start_without_tables(bench, folder)
        await bench.stack.stop("gateway")
        count = await _fill(bench, generations)
        filled = await _start_without_tables(bench, folder)
        read = await _read(bench)
    return [
        figure(
            f"an emptied gateway with {count} events, ready after",
            round(filled, 2),
            "s",
            against="a gateway without events",
            limit=round(empty, 2),
            goal="< 8 s",
        ),
        figure(
            "events a second into the tables of an emptied gateway",
            round(count / max(filled - empty, 0.01)),
            "/s",
            against="reading the same messages without decoding them",
            limit=round(count / read),
            goal=">= 15000 /s",
        ),
    ]


async def _start_without_tables(bench: BenchStack, folder: Path) -> float:
    _remove_tables(folder)
    begun = time.perf_counter()
    await bench.stack.start("gateway")
    return time.perf_counter() - begun


def _remove_tables(folder: Path) -> None:
    for file in folder.glob("gateway*.db*"):
        file.unlink()


async def _read(bench: BenchStack) -> float:
    begun = time.perf_counter()
    for stream in (VIDEO, LEDGER):
        feed = CatchUpSubscription(bench.connection, stream)
        last = await feed.last()
        async for batch in feed.follow(0):
            if batch.records and batch.records[-1].sequence >= last:
                break
    return time.perf_counter() - begun


async def _fill(bench: BenchStack, generations: int) -> int:
    """Append the events of finished generations as their services would; the number of events."""
    nats = bench.stack.config.nats
    links = {name: await connect(nats.url, name, access=nats.access(name)) for name in SERVICES}
    pending: list[asyncio.Future[Any]] = []
    count = 0
    for event in _history(generations):
        count += 1
        envelope = Envelope(
            id=f"bench-{count}",
            source=f"telecine/{event.written_by}",
            type=event.type,
            time=datetime.now(UTC),
            subject=subjects.of_event(event),
            correlation=f"bench-{count}",
            causation=f"bench-{count}",
        )
        publish = links[event.written_by].jetstream().publish
        pending.append(
            asyncio.ensure_future(
                publish(
                    envelope.subject,
                    encode(event),
                    stream=event.stream,
                    headers=envelope.to_headers(),
                    timeout=60,
                )
            )
        )
        if len(pending) == 500:
            await asyncio.gather(*pending)
            pending.clear()
    await asyncio.gather(*pending)
    for link in links.values():
        await link.close()
    return count


def _history(generations: int) -> Iterator[Event]:
    now, price = datetime.now(UTC), seed_price("720p", 5)
    accounts: dict[str, Account] = {}

    def decided(command: Any) -> Event:
        account = accounts.setdefault(command.account, Account())
        event = decide(TimedCommand(command, now), account)
        assert event is not None
        accounts[command.account] = evolve(account, event)
        return event

    for number in range(ACCOUNTS):
        yield decided(
            GrantCredits(
                account=f"bench-{number}",
                amount=10**7,
                kind=GrantKind.PAID,
                reference="bench",
                reason="bench",
            )
        )
    for begin in range(0, generations, IN_FLIGHT):
        batch = [
            GenerationEvents(f"bench-{number % ACCOUNTS}", f"00000000-0000-4000-8000-{number:012}")
            for number in range(begin, min(begin + IN_FLIGHT, generations))
        ]
        for made in batch:
            yield made.requested()
            yield decided(
                Debit(account=made.account, generation=made.generation, price=price, api_key="key_1")
            )
        for made in batch:
            yield from (made.started(), made.submitted(), made.progressed(), made.ready(), made.stored())
            yield decided(Settle(account=made.account, generation=made.generation))
