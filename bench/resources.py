"""Memory and processor time of an idle stack, and the copying of a large result."""

import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bench.report import figure
from bench.requests import BODY
from bench.stack import COUNTED, BenchStack, proportional_bytes, resident_bytes
from telecine_chassis.s3_client import S3Access, s3_client

MIB = 2**20
SETTLING_SECONDS = 5
"""Seconds after the start that do not count as idle."""
RESULT_BYTES = 200_000_000
SUPERVISOR = """
import telecine_cli.__main__, telecine_cli.output.provision, telecine_cli.stack.supervisor
print(flush=True)
import sys; sys.stdin.read()
"""


async def measure_idle(bench: BenchStack, *, quick: bool) -> list[dict[str, Any]]:
    """Processor time and memory while nothing happens; this process stands for the supervisor."""
    seconds = 4 if quick else 20
    await asyncio.sleep(SETTLING_SECONDS)
    before = bench.cpu()
    await asyncio.sleep(seconds)
    after = bench.cpu()
    used = {name: 100 * (after[name] - before[name]) / seconds for name in COUNTED}
    memory = {name: proportional_bytes(bench.pid(name)) / MIB for name in (*COUNTED, "emulator", "s3")}
    memory["supervisor"] = await _supervisor_bytes() / MIB
    services = [name for name in COUNTED if name != "nats"]
    return [
        figure(
            "idle, processor time of the busiest service",
            round(max(used[name] for name in services), 2),
            "%",
            against="nats-server in the same stack",
            limit=round(used["nats"], 2),
            goal="< 1 % of a core",
            detail=", ".join(f"{name} {used[name]:.2f}" for name in COUNTED),
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


async def _supervisor_bytes() -> int:
    """Memory of a process that has imported what `telecine up` imports."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SUPERVISOR, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    await child.stdout.readline()
    found = proportional_bytes(child.pid)
    child.kill()
    await child.wait()
    return found


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
