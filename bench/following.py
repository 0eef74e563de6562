"""What it costs to follow tasks at the provider, at the default pace."""

import asyncio
import time
from pathlib import Path
from typing import Any

from bench.report import figure
from bench.requests import fill
from bench.stack import SETTLED_SECONDS, BenchStack, running
from telecine_cli.stack.http_probe import http_answer


async def measure_following(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Processor cores of all processes but the emulator, while nothing happens but polls."""
    counts, seconds = ((500,), 5.0) if quick else ((2_000, 10_000), 20.0)
    rows, filled = [], 0
    async with running(folder, "--task-seconds", "86400") as bench:
        idle = await _cores(bench, seconds)
        for count in counts:
            await fill(bench, count - filled)
            filled = count
            await _all_followed(bench, count)
            before = await _polls(bench)
            cores = await _cores(bench, seconds)
            after = await _polls(bench)
            calls, late = after[0] - before[0], (after[2] - before[2]) / max(after[1] - before[1], 1)
            rows.append(
                figure(
                    f"{count} tasks in flight, processor cores of all processes",
                    round(cores, 3),
                    "",
                    against="the same stack without a task",
                    limit=round(idle, 3),
                    goal="<= 0.3 cores" if count <= 10_000 else "-",
                    detail=f"{calls / seconds:.0f} list calls a second, buckets {late:.2f} s late on average",
                )
            )
    return rows


async def _all_followed(bench: BenchStack, count: int) -> None:
    """Wait until the tables of the generation service have all tasks: filling them is not following them."""
    until = time.monotonic() + SETTLED_SECONDS
    while _value(await _metrics(bench), 'telecine_generations_in_flight{phase="following"}') < count:
        if time.monotonic() > until:
            raise TimeoutError(f"fewer than {count} tasks are followed")
        await asyncio.sleep(0.1)


async def _cores(bench: BenchStack, seconds: float) -> float:
    before = bench.cpu()
    await asyncio.sleep(seconds)
    after = bench.cpu()
    return sum(after[name] - before[name] for name in before) / seconds


async def _polls(bench: BenchStack) -> tuple[float, float, float]:
    """List calls so far; timers of buckets so far, and the seconds by which they were late in all."""
    page = await _metrics(bench)
    return (
        _value(page, 'telecine_provider_calls_total{operation="tasks",outcome="answered"}'),
        _value(page, 'telecine_timer_delay_seconds_count{kind="poll"}'),
        _value(page, 'telecine_timer_delay_seconds_sum{kind="poll"}'),
    )


async def _metrics(bench: BenchStack) -> str:
    """The metrics page of the generation service."""
    answer = await http_answer(bench.stack.config.local_url("generation-health") + "/metrics")
    return answer[1].decode() if answer else ""


def _value(page: str, series: str) -> float:
    found = [line.rpartition(" ")[2] for line in page.splitlines() if line.startswith(series)]
    return float(found[0]) if found else 0.0
