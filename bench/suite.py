"""All benchmarks of one run: every figure with a peer or a limit that is measured beside it."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from bench.audit import measure_auditing
from bench.latency import BODY, overhead
from bench.load import post
from bench.report import figure
from bench.stack import SERVICES, BenchStack, cpu_seconds, resident_bytes, running
from bench.streams import measure_streams
from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_cli.stack.process import Command, Process

MIB = 2**20
SETTLING_SECONDS = 2
"""Seconds after the start that do not count as idle."""
RESULT_BYTES = 200_000_000


async def run_suite(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """Measure every figure."""
    figures = []
    async with running(folder / "one", "--task-seconds", "0.3") as bench:
        figures.append(
            figure(
                "telecine up, ready after",
                round(bench.ready_seconds, 2),
                "s",
                against="one bare Python process that imports FastAPI and exits",
                limit=await _bare_start(),
                goal="< 8 s",
            )
        )
        figures += await _idle(bench, seconds=3 if quick else 10)
        figures += await _latency(bench, runs=10 if quick else 40)
        figures.append(await _copy(bench))
    async with running(folder / "two", "--task-seconds", "3600") as bench:
        figures.append(await _accept(bench, folder, seconds=2 if quick else 6))
    figures += await measure_streams(folder / "streams", quick=quick)
    return figures + await measure_auditing(folder / "audit", quick=quick)


async def _bare_start() -> float:
    started = time.perf_counter()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import fastapi, uvicorn")
    await child.wait()
    return round(time.perf_counter() - started, 2)


async def _idle(bench: BenchStack, seconds: float) -> list[dict[str, Any]]:
    pids = {name: bench.pid(name) for name in SERVICES}
    nats = bench.pid("nats")
    await asyncio.sleep(SETTLING_SECONDS)
    before = {name: cpu_seconds(pid) for name, pid in [*pids.items(), ("nats", nats)]}
    await asyncio.sleep(seconds)
    used = {
        name: 100 * (cpu_seconds(pid) - before[name]) / seconds
        for name, pid in [*pids.items(), ("nats", nats)]
    }
    rows = []
    for name, pid in pids.items():
        rows.append(
            figure(
                f"{name}, idle memory",
                round(resident_bytes(pid) / MIB, 1),
                "MiB",
                against="nats-server in the same stack",
                limit=round(resident_bytes(nats) / MIB, 1),
                goal="< 130 MB",
            )
        )
        rows.append(
            figure(
                f"{name}, idle processor time",
                round(used[name], 2),
                "%",
                against="nats-server in the same stack",
                limit=round(used["nats"], 2),
                goal="< 2 % of a core",
            )
        )
    return rows


async def _latency(bench: BenchStack, runs: int) -> list[dict[str, Any]]:
    found = await overhead(bench, runs)
    return [
        figure(
            "a generation, added to the provider's own time",
            found.added,
            "ms",
            against="the provider's own time (emulator, 0.3 s a task)",
            limit=found.provider,
            goal="<= 50 ms",
        ),
        figure(
            "POST /api/video/generate, answered after",
            found.answer,
            "ms",
            against="one write with fsync to the same disk",
            limit=_fsync_milliseconds(),
            goal="-",
        ),
    ]


def _fsync_milliseconds() -> float:
    path = Path.cwd() / ".bench-fsync"
    times = []
    with path.open("wb") as file:
        for _ in range(50):
            started = time.perf_counter()
            file.write(b"x" * 512)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    path.unlink()
    return round(sorted(times)[len(times) // 2] * 1000, 3)


async def _copy(bench: BenchStack) -> dict[str, Any]:
    """Measure the peak memory of storage during the copy of a large result, above its idle memory."""
    pid = bench.pid("storage")
    before = peak = resident_bytes(pid)
    ended = await bench.connection.subscribe("stored.video.*.*.stored")
    await bench.connection.flush()
    prompt = f"bench [emulator:result_bytes={RESULT_BYTES}]"
    (await bench.http.post("/api/video/generate", json={"prompt": prompt, **BODY})).raise_for_status()
    waiting = asyncio.ensure_future(ended.next_msg(timeout=60))
    while not waiting.done():
        peak = max(peak, resident_bytes(pid))
        await asyncio.sleep(0.01)
    waiting.result()
    await ended.unsubscribe()
    return figure(
        "storage, memory that a copy of 200 MB adds",
        round((peak - before) / MIB, 1),
        "MiB",
        against="the file itself",
        limit=round(RESULT_BYTES / MIB, 1),
        goal="< 64 MB",
    )


async def _accept(bench: BenchStack, folder: Path, seconds: float) -> dict[str, Any]:
    port = free_port()
    bare = Process(
        Command(
            name="bare",
            argv=(sys.executable, "-m", "bench.baseline_http", str(port)),
            log=folder / "bare.log",
        )
    )
    body = json.dumps({"prompt": "bench", **BODY}).encode()
    url = f"http://{LOOPBACK}:{port}"

    async def answers() -> bool:
        return await http_answer(url + "/openapi.json") is not None

    bare.start()
    try:
        await bare.wait_ready(answers, 20)
        peer = await post(url + "/api/video/generate", body, connections=32, seconds=seconds, headers={})
    finally:
        bare.kill()
    target = bench.stack.config.gateway_url + "/api/video/generate"
    ours = await post(target, body, connections=32, seconds=seconds, headers={"x-api-key": bench.key})
    return figure(
        "POST /api/video/generate, accepted a second",
        ours.per_second,
        "/s",
        against="a bare FastAPI POST on the same server settings",
        limit=peer.per_second,
        goal="-",
    )
