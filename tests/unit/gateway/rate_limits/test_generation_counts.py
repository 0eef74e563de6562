"""Counts of requests for videos: in memory, from events, and from the tables."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.data.video_events import GenerationEvents

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts.examples import envelope
from telecine_gateway.rate_limits.generation_counts import ARRIVAL_TIMEOUT, GenerationCounts
from telecine_gateway.rate_limits.rules import Policy

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMIT = Policy("generations", 10, 60)


class Tables:
    """The requests that the tables have, and a clock."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, datetime]] = []
        self.now = NOW
        self.reads = 0
        self.readable = asyncio.Event()
        self.readable.set()

    async def read(self, account: str, most: int) -> Sequence[tuple[int, datetime]]:
        self.reads += 1
        rows = self.rows[::-1][:most]
        await self.readable.wait()
        return rows

    def clock(self) -> datetime:
        return self.now


def requested(sequence: int, at: datetime = NOW, account: str = "ann") -> list[RecordedEvent]:
    event = GenerationEvents(account, f"g{sequence}").requested()
    return [RecordedEvent(event, replace(envelope(event), time=at), sequence)]


async def admitted(counts: GenerationCounts, tries: int = 20, name: str = "new") -> int:
    answers = [await counts.admit("ann", f"{name}-{number}", LIMIT) for number in range(tries)]
    return sum(ok for ok, _ in answers)


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def counts(tables: Tables) -> GenerationCounts:
    return GenerationCounts(tables.read, tables.clock)


async def test_no_more_than_the_limit_is_admitted_at_once(counts: GenerationCounts) -> None:
    assert await admitted(counts) == 10


async def test_parallel_requests_share_one_read_and_one_limit(
    counts: GenerationCounts, tables: Tables
) -> None:
    answers = await asyncio.gather(*(counts.admit("ann", f"g{number}", LIMIT) for number in range(64)))

    assert sum(ok for ok, _ in answers) == 10
    assert tables.reads == 1


async def test_requests_of_other_gateways_count_when_they_arrive(counts: GenerationCounts) -> None:
    await counts.admit("ann", "g1", LIMIT)
    for sequence in range(1, 8):
        counts.watch(requested(sequence))
        counts.watch(requested(sequence))  # delivered again

    assert await admitted(counts) == 3


async def test_what_the_tables_have_of_the_last_window_counts(
    counts: GenerationCounts, tables: Tables
) -> None:
    tables.rows = [(1, NOW - timedelta(seconds=61)), *((number, NOW) for number in range(2, 6))]

    assert await admitted(counts) == 6


async def test_events_that_the_tables_do_not_have_yet_count_once(
    counts: GenerationCounts, tables: Tables
) -> None:
    tables.rows = [(1, NOW)]
    counts.watch(requested(2))
    tables.readable.clear()
    reading = asyncio.create_task(counts.admit("ann", "new", LIMIT))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    counts.watch(requested(3))
    counts.committed(requested(3))
    counts.watch(requested(4, account="bob"))
    tables.readable.set()

    ok, use = await reading

    assert ok and use.remaining == 10 - 3 - 1


async def test_a_request_that_was_not_recorded_does_not_count_for_long(
    counts: GenerationCounts, tables: Tables
) -> None:
    assert await admitted(counts) == 10
    for number in range(10):
        counts.answered(f"new-{number}")
    assert await admitted(counts, name="second") == 0

    tables.now += timedelta(seconds=ARRIVAL_TIMEOUT)

    assert await admitted(counts, name="third") == 10


async def test_a_request_counts_once_before_and_after_its_event(
    counts: GenerationCounts, tables: Tables
) -> None:
    await counts.admit("ann", "g1", LIMIT)
    counts.watch(requested(1))
    counts.answered("g1")

    assert await admitted(counts) == 9


async def test_the_limit_comes_back_evenly(counts: GenerationCounts, tables: Tables) -> None:
    await counts.admit("ann", "g1", LIMIT)
    for sequence in range(1, 11):
        counts.watch(requested(sequence))
    assert await admitted(counts) == 0

    tables.now += timedelta(seconds=12)

    assert await admitted(counts) == 2


async def test_after_a_change_of_tables_events_are_counted_again(
    counts: GenerationCounts, tables: Tables
) -> None:
    counts.watch(requested(5))
    await counts.admit("ann", "other", LIMIT)
    counts.slot_changed()
    tables.rows = [(number, NOW) for number in range(1, 5)]
    counts.watch(requested(5))

    assert await admitted(counts) == 10 - 5 - 1


async def test_a_failed_read_is_tried_again(tables: Tables) -> None:
    async def fail(account: str, most: int) -> Sequence[tuple[int, datetime]]:
        tables.reads += 1
        if tables.reads == 1:
            raise OSError
        return ()

    counts = GenerationCounts(fail, tables.clock)
    with pytest.raises(OSError):
        await counts.admit("ann", "g1", LIMIT)

    assert (await counts.admit("ann", "g1", LIMIT))[0]
