"""Throughput of the event store: appends to one server and to three, timers, and how much of it a generation needs."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.cluster.nats_cluster import nats_cluster, provision_cluster
from tests.support.data.video_events import GenerationEvents
from tests.support.servers.instances import nats_server

from bench.report import figure
from bench.requests import BODY
from bench.stack import BenchStack, running
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.nats.connection import connect
from telecine_chassis.timers.jetstream import JetStreamTimers
from telecine_chassis.timers.port import Timer
from telecine_cli.provisioning.streams import provision
from telecine_contracts import Envelope, Event, registry, subjects
from telecine_jetstream.client import NatsClient

COUNTED = ("VIDEO", "LEDGER", "TIMERS")
WRITERS = 64
TASK_SECONDS = 20
"""Duration of a task at the provider in the run that counts events."""
SLOW = 60


async def measure_streams(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Measure every figure of the streams."""
    count, timers = (1000, 500) if quick else (6000, 3000)
    async with nats_server(folder / "alone") as server:
        link = await connect(server.url, "bench")
        try:
            await provision(link)
            fsyncs = fsyncs_a_second(folder)
            alone = [await _appends(link, count // 4, writers=1), await _appends(link, count, WRITERS)]
            chain = await _chain(link, count // 4)
            fired = await _timers(link, timers)
        finally:
            await link.close()
    async with nats_cluster(folder / "three") as cluster:
        gateway = await connect(cluster.url, "gateway", access=cluster.access("gateway"))
        await provision_cluster(cluster)
        try:
            three = [await _appends(gateway, count // 4, writers=1), await _appends(gateway, count, WRITERS)]
        finally:
            await gateway.close()
    async with running(folder / "counted", "--task-seconds", str(TASK_SECONDS)) as bench:
        counted = await _counted(bench)
    rates = {
        "one server, appends a second, 1 at a time": alone[0],
        f"one server, appends a second, {WRITERS} at a time": alone[1],
        "one server, appends a second to one aggregate": chain,
        "three servers here, appends a second, 1 at a time": three[0],
        f"three servers here, appends a second, {WRITERS} at a time": three[1],
        "one server, timers set, fired and taken a second": fired,
    }
    return [_rate(*rate, fsyncs) for rate in rates.items()] + [_messages(name, counted) for name in COUNTED]


def _rate(name: str, value: float, fsyncs: float) -> dict[str, Any]:
    against = "fsyncs of 512 bytes a second, one after the other, same disk"
    return figure(name, value, "/s", against=against, limit=fsyncs, goal="-")


@dataclass(frozen=True)
class Counted:
    """Messages and stored bytes that one generation adds to each stream."""

    messages: dict[str, int]
    kept: dict[str, int]


def _messages(stream: str, counted: Counted) -> dict[str, Any]:
    return figure(
        f"a generation of {TASK_SECONDS} s at the provider, messages on {stream}",
        counted.messages[stream],
        "",
        against="bytes that it keeps there",
        limit=counted.kept[stream],
        goal="-",
    )


def fsyncs_a_second(folder: Path) -> float:
    """Sequential writes with fsync, on the disk of `folder`."""
    path, rounds = folder / "fsync", 200
    with path.open("wb") as file:
        started = time.perf_counter()
        for _ in range(rounds):
            file.write(b"x" * 512)
            file.flush()
            os.fsync(file.fileno())
        seconds = time.perf_counter() - started
    path.unlink()
    return round(rounds / seconds)


async def _appends(link: NatsClient, count: int, writers: int) -> float:
    """Appends per second, each to its own aggregate, by concurrent writers."""
    store, names = JetStreamEventStore(link, registry()), iter(range(count))

    async def write() -> None:
        for number in names:
            event = GenerationEvents("ann", f"{writers}-{number}").requested()
            await store.append(event, _envelope(event), aggregate=_aggregate(event), expected=0)

    started = time.perf_counter()
    await asyncio.gather(*(write() for _ in range(writers)))
    return round(count / (time.perf_counter() - started))


async def _chain(link: NatsClient, count: int) -> float:
    """Appends per second to one aggregate, each at the version of the previous one."""
    store, version = JetStreamEventStore(link, registry()), 0
    started = time.perf_counter()
    for number in range(count):
        event = GenerationEvents("ann", "chain").requested(prompt=str(number))
        envelope = _envelope(event, number)
        version = await store.append(event, envelope, aggregate=_aggregate(event), expected=version)
    return round(count / (time.perf_counter() - started))


async def _timers(link: NatsClient, count: int) -> float:
    """Timers per second: set, due a second later, delivered and acknowledged, all within the measured time."""
    timers, soon = JetStreamTimers(link, "generation"), timedelta(seconds=1)
    names = iter(range(count))

    async def set_all() -> None:
        for number in names:
            await timers.set(Timer("wake", ("ann", f"t-{number}")), datetime.now(UTC) + soon)

    started = time.perf_counter()
    taking = asyncio.create_task(_take(link, count))
    await asyncio.gather(*(set_all() for _ in range(WRITERS)))
    await taking
    return round(count / (time.perf_counter() - started))


async def _take(link: NatsClient, count: int) -> None:
    subscription = await link.jetstream().pull_subscribe_bind("generation-timers", "TIMERS")
    taken = 0
    while taken < count:
        for message in await subscription.fetch(500, timeout=SLOW):
            await message.ack()
            taken += 1


async def _counted(bench: BenchStack) -> Counted:
    before = await _state(bench.connection, COUNTED)
    ended = await bench.connection.subscribe("stored.ledger.*.settled")
    await bench.connection.flush()
    body = {"prompt": "bench", **BODY}
    (await bench.http.post("/api/video/generate", json=body)).raise_for_status()
    await ended.next_msg(timeout=SLOW)
    await ended.unsubscribe()
    after = await _state(bench.connection, COUNTED)
    return Counted(
        {name: after[name][0] - before[name][0] for name in COUNTED},
        {name: after[name][1] - before[name][1] for name in COUNTED},
    )


async def _state(link: NatsClient, streams: Sequence[str]) -> dict[str, tuple[int, int]]:
    """The last sequence and the bytes of each stream."""
    found = {name: (await link.jetstream().stream_info(name)).state for name in streams}
    return {name: (state.last_seq, state.bytes) for name, state in found.items()}


def _aggregate(event: Event) -> str:
    return subjects.video(*event.aggregate)


def _envelope(event: Event, number: int = 0) -> Envelope:
    id = f"{'-'.join(event.aggregate)}-{number}"
    return Envelope(
        id=id,
        source="telecine/gateway",
        type=event.type,
        time=datetime.now(UTC),
        subject=subjects.of_event(event),
        correlation=id,
        causation=id,
    )


if __name__ == "__main__":
    import sys
    import tempfile

    from bench.report import as_text

    with tempfile.TemporaryDirectory() as place:
        found = asyncio.run(measure_streams(Path(place), quick="--quick" in sys.argv))
    print(as_text(found, as_json=False))
