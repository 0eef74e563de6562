"""The time that telecine adds to the provider's own, from POST to `completed`, without polling intervals."""

import asyncio
import statistics
import time
from dataclasses import dataclass

from bench.stack import BenchStack

BODY = {"resolution": "480p", "duration": 2}


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
