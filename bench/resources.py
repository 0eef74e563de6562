"""Start, memory and processor time of an idle stack, and the copying of a large result."""

import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bench.report import figure
from bench.requests import BODY
from bench.stack import (
    SERVICES,
    BenchStack,
    cpu_seconds,
    proportional_bytes,
    resident_bytes,
    up_command,
)
from telecine_chassis.s3_client import S3Access, s3_client

MIB = 2**20
SETTLING_SECONDS = 5
"""Seconds after the start that do not count as idle."""
RESULT_BYTES = 200_000_000


async def measure_idle(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """What `telecine up` costs until it is ready, and while nothing happens: each of its processes counts."""
    seconds = 4 if quick else 20
    async with up_command(folder) as up:
        await asyncio.sleep(SETTLING_SECONDS)
        before = {name: cpu_seconds(pid) for name, pid in up.pids.items()}
        await asyncio.sleep(seconds)
        used = {name: 100 * (cpu_seconds(pid) - before[name]) / seconds for name, pid in up.pids.items()}
        memory = {name: proportional_bytes(pid) / MIB for name, pid in up.pids.items()}
    return [
        figure(
            "telecine up, ready after",
            round(up.ready_seconds, 2),
            "s",
            against="one bare Python process that imports FastAPI and exits",
            limit=await _bare_start(),
            goal="< 8 s",
        ),
        figure(
            "idle, processor time of the busiest service",
            round(max(used[name] for name in SERVICES), 2),
            "%",
            against="nats-server in the same stack",
            limit=round(used["nats"], 2),
            goal="< 1 % of a core",
            detail=", ".join(f"{name} {value:.2f}" for name, value in used.items()),
        ),
        figure(
            "idle, memory of all processes of telecine up (PSS)",
            round(sum(memory.values())),
            "MiB",
            against="nats-server and the object store in it",
            limit=round(memory["nats"] + memory["s3"]),
            goal="<= 350 MiB",
            detail=", ".join(f"{name} {value:.0f}" for name, value in memory.items()),
        ),
    ]


async def _bare_start() -> float:
    started = time.perf_counter()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import fastapi, uvicorn")
    await child.wait()
    return round(time.perf_counter() - started, 2)


async def measure_copying(bench: BenchStack, folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """A large result from the provider to the bucket, beside boto3 alone with a file; and the memory that it takes."""
    rounds = 1 if quick else 3
    file = folder / "upload"
    with file.open("wb") as empty:
        empty.truncate(RESULT_BYTES)
    plain, copies, added = list[float](), list[float](), list[float]()
    for number in range(rounds):
        plain.append(await asyncio.to_thread(_upload, bench, file, number))
        seconds, memory = await _copy(bench)
        copies.append(seconds)
        added.append(memory)
    file.unlink()
    rate = RESULT_BYTES / 1e6
    return [
        figure(
            "copy of 200 MB from the provider to the bucket",
            round(rate / statistics.median(copies), 1),
            "MB/s",
            against="boto3 upload_file of a file of that size to the same bucket",
            limit=round(rate / statistics.median(plain), 1),
            goal="ratio >= 0.9",
        ),
        figure(
            "copy of 200 MB, memory that it adds to storage",
            round(max(added) / MIB, 1),
            "MiB",
            against="the file itself",
            limit=round(RESULT_BYTES / MIB, 1),
            goal="< 64 MiB",
        ),
    ]


def _upload(bench: BenchStack, file: Path, number: int) -> float:
    s3 = bench.stack.config.s3
    client = s3_client(S3Access(endpoint=s3.endpoint, access_key=s3.access_key, secret_key=s3.secret_key))
    begun = time.perf_counter()
    client.upload_file(str(file), s3.bucket, f"bench-{number}")
    seconds = time.perf_counter() - begun
    client.delete_object(Bucket=s3.bucket, Key=f"bench-{number}")
    return seconds


async def _copy(bench: BenchStack) -> tuple[float, float]:
    """Seconds from VideoReady to VideoStored, and the peak of memory above that before."""
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
    subject = waiting.result().subject.removeprefix("stored.")
    await ended.unsubscribe()
    stored = await bench.connection.jetstream().get_msg("VIDEO", subject=subject)
    ready = await bench.connection.jetstream().get_msg("VIDEO", subject=subject.replace(".stored", ".ready"))
    assert stored.time is not None and ready.time is not None
    return (stored.time - ready.time).total_seconds(), peak - before
