"""Requests to the gateway: how many it accepts, how many reach the provider, and what each costs."""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import Load, get, post
from bench.report import figure
from bench.stack import BenchStack
from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_cli.stack.process import Command, Process

BODY = {"resolution": "480p", "duration": 2}
POST_BODY = json.dumps({"prompt": "bench", **BODY}).encode()
GENERATE = "/api/video/generate"
BARE = "a bare FastAPI POST on the same server settings"
MANY, FEW = 64, 32


async def measure_accepting(bench: BenchStack, folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Accepted requests a second: without what follows, and with the whole chain and tasks in flight.

    The emulator's tasks must not end meanwhile.
    """
    seconds, in_flight = (2, 200) if quick else (5, 2_000)
    async with bare_server(folder) as bare:
        peers = [await _post(bare, {}, MANY, seconds)]
        with bench.frozen("generation", "storage"):
            before = bench.cpu()
            alone = await _post(_url(bench), _key(bench), MANY, seconds)
            costs = [_costs(before, bench.cpu(), alone.statuses[200])]
        await bench.settled()
        await fill(bench, in_flight)
        before = bench.cpu()
        chain = await _post(_url(bench), _key(bench), FEW, seconds)
        reached = await _rate_until_settled(bench, chain)
        costs.append(_costs(before, bench.cpu(), chain.statuses[200]))
        peers.append(await _post(bare, {}, MANY, seconds))
    limit = round(sum(peer.per_second for peer in peers) / 2)
    return [
        figure(
            f"accepted a second, {MANY} connections: gateway, credits and NATS",
            alone.per_second,
            "/s",
            against=BARE,
            limit=limit,
            goal="ratio >= 0.12",
            detail=_listed(costs[0]),
        ),
        figure(
            f"accepted a second, {FEW} connections: whole chain, {in_flight} tasks in flight",
            chain.per_second,
            "/s",
            against=BARE,
            limit=limit,
            goal="ratio >= 0.045",
        ),
        figure(
            "reached the provider a second: whole chain, the same run",
            reached,
            "/s",
            against=BARE,
            limit=limit,
            goal="ratio >= 0.045",
        ),
        figure(
            "processor time for each generation until it is at the provider",
            round(sum(costs[1].values()), 2),
            "ms",
            against="the same for a bare FastAPI POST, one core busy",
            limit=round(1000 / limit, 3),
            goal="<= 8 ms",
            detail=_listed(costs[1]),
        ),
    ]


async def fill(bench: BenchStack, tasks: int) -> None:
    """Bring `tasks` more tasks to the provider."""
    await post(_url(bench), POST_BODY, connections=FEW, seconds=600, headers=_key(bench), most=tasks)
    await bench.settled()


async def measure_reading(bench: BenchStack, *, quick: bool) -> list[dict[str, Any]]:
    """Processor time of the gateway for each read. Some generations must have ended in this stack."""
    seconds = 1.5 if quick else 4
    done = (await bench.http.get("/api/video/history?limit=1")).json()["items"][0]["id"]
    answer = await bench.http.post(GENERATE, json={"prompt": "a [emulator:hang] bench", **BODY})
    running_id = answer.raise_for_status().json()["id"]
    await bench.settled()
    status = "/api/video/status?taskId={0}&historyId={0}"
    bare = await _read_cost(bench, "/healthz", seconds)
    rows = []
    for name, path, goal in (
        ("status of a finished generation", status.format(done), "<= 0.5 ms"),
        ("status of a running generation", status.format(running_id), "<= 0.5 ms"),
        ("history of 20", "/api/video/history?limit=20", "<= 0.9 ms"),
        ("credits", "/api/credits", "<= 0.9 ms"),
    ):
        cost, load = await _read_cost(bench, path, seconds)
        rows.append(
            figure(
                f"{name}, processor time of the gateway",
                cost,
                "ms",
                against="GET /healthz in the same process",
                limit=bare[0],
                goal=goal,
                detail=f"{load.per_second:g} a second over {FEW} connections",
            )
        )
    return rows


async def _read_cost(bench: BenchStack, path: str, seconds: float) -> tuple[float, Load]:
    url = bench.stack.config.gateway_url + path
    await get(url, connections=FEW, seconds=0.3, headers=_key(bench))
    before = bench.cpu()["gateway"]
    load = await get(url, connections=FEW, seconds=seconds, headers=_key(bench))
    if set(load.statuses) != {200}:
        raise RuntimeError(f"GET {path.partition('?')[0]} was answered {dict(load.statuses)}")
    return round(1000 * (bench.cpu()["gateway"] - before) / load.statuses[200], 3), load


async def measure_one_at_a_time(bench: BenchStack, folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """One request after the other: the median latency."""
    seconds = 1 if quick else 3
    async with bare_server(folder) as bare:
        peer = await _post(bare, {}, 1, seconds)
    ours = await _post(_url(bench), _key(bench), 1, seconds)
    await bench.settled()
    return [
        figure(
            "POST /api/video/generate, one at a time, median",
            ours.median_ms,
            "ms",
            against=BARE,
            limit=peer.median_ms,
            goal="-",
            detail=f"{ours.per_second:g} a second",
        )
    ]


@asynccontextmanager
async def bare_server(folder: Path) -> AsyncIterator[str]:
    """The URL of a bare FastAPI POST."""
    port = free_port()
    argv = (sys.executable, "-m", "bench.peers.bare_http", str(port))
    server = Process(Command(name="bare", argv=argv, log=folder / "bare.log"))
    url = f"http://{LOOPBACK}:{port}"

    async def answers() -> bool:
        return await http_answer(url + "/openapi.json") is not None

    server.start()
    try:
        await server.wait_ready(answers, 20)
        yield url + GENERATE
    finally:
        server.kill()


async def _rate_until_settled(bench: BenchStack, load: Load) -> float:
    """Generations of `load` that reached the provider a second, from its beginning until the last one."""
    begun = time.perf_counter()
    await bench.settled()
    return round(load.statuses[200] / (load.seconds + time.perf_counter() - begun), 1)


async def _post(url: str, headers: Mapping[str, str], connections: int, seconds: float) -> Load:
    return await post(url, POST_BODY, connections=connections, seconds=seconds, headers=headers)


def _url(bench: BenchStack) -> str:
    return bench.stack.config.gateway_url + GENERATE


def _key(bench: BenchStack) -> dict[str, str]:
    return {"x-api-key": bench.key}


def _costs(before: Mapping[str, float], after: Mapping[str, float], count: int) -> dict[str, float]:
    """Milliseconds for each request, by process."""
    return {name: 1000 * (after[name] - before[name]) / max(count, 1) for name in before}


def _listed(costs: Mapping[str, float]) -> str:
    return "ms: " + ", ".join(f"{name} {cost:.2f}" for name, cost in costs.items() if cost >= 0.005)


@dataclass(frozen=True)
class Overhead:
    """Milliseconds: medians of `runs` sequential generations. The provider calls back instead of being polled."""

    runs: int
    total: float
    provider: float
    added: float
    answer: float


async def overhead(bench: BenchStack, runs: int = 30) -> Overhead:
    """Measure one generation at a time on an idle machine.

    The provider's own time is that of the emulator: from creating the task to its success, by the emulator's clock.
    """
    ended = await bench.connection.subscribe("stored.video.*.*.stored")
    await bench.connection.flush()
    totals, answers, providers = [], [], []
    for number in range(runs + 2):
        started = time.perf_counter()
        answer = await bench.http.post("/api/video/generate", json={"prompt": f"bench {number % 3}", **BODY})
        answers.append(time.perf_counter() - started)
        generation = answer.raise_for_status().json()["id"]
        await ended.next_msg(timeout=30)
        await _completed(bench, generation)
        totals.append(time.perf_counter() - started)
        providers.append(await _provider_seconds(bench, generation))
    await ended.unsubscribe()
    measured = list(zip(totals, providers, answers, strict=True))[2:]
    return Overhead(
        runs=runs,
        total=_median([total for total, _, _ in measured]),
        provider=_median([provider for _, provider, _ in measured]),
        added=_median([total - provider for total, provider, _ in measured]),
        answer=_median([answer for _, _, answer in measured]),
    )


async def _completed(bench: BenchStack, generation: str) -> None:
    while True:
        status = await bench.http.get(
            "/api/video/status", params={"taskId": generation, "historyId": generation}
        )
        if status.json()["status"] == "completed":
            return
        await asyncio.sleep(0.001)


async def _provider_seconds(bench: BenchStack, generation: str) -> float:
    tasks = (await bench.http.get(f"{bench.emulator}/admin/tasks")).json()
    tasks = tasks["tasks"] if isinstance(tasks, dict) else tasks
    mark = generation.replace("-", "")
    task = next(task for task in tasks if mark in str(task))
    return float(task["updated_at"]) - float(task["created_at"])


def _median(seconds: list[float]) -> float:
    return round(statistics.median(seconds) * 1000, 1)
