"""Measure telecine beside its peers in one run: `make bench-peers`."""

import argparse
import asyncio
import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.servers.instances import nats_server

from bench.load import post
from bench.requests import GENERATE, POST_BODY
from bench.stack import COUNTED, cpu_seconds, process_tree, proportional_bytes, running
from telecine_cli.stack.http_probe import http_answer
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_cli.stack.process import Command, Process

HERE = Path(__file__).parent
PYTHON = HERE / ".venv" / "bin" / "python"
CONNECTIONS, SECONDS = 32, 5.0
IDLE_CORES = 0.05
"""Below this many busy cores a peer has no work left."""
READY_SECONDS = 120
MIB = 2**20


@dataclass(frozen=True)
class Measured:
    """One system. Milliseconds, and MiB of memory (PSS) before the load."""

    name: str
    accepted_per_second: float
    processor_ms: float
    median_ms: float
    idle_mib: float


@dataclass(frozen=True)
class Target:
    """A running system: where to POST what, and the processes that count."""

    name: str
    url: str
    body: bytes
    headers: dict[str, str]
    pids: Callable[[], Sequence[int]]


async def measure(target: Target) -> Measured:
    """Memory, then one connection, then many."""
    memory = sum(map(proportional_bytes, target.pids())) / MIB
    one = await post(target.url, target.body, connections=1, seconds=SECONDS / 2, headers=target.headers)
    await _settled(target)
    before = _cpu(target)
    many = await post(
        target.url, target.body, connections=CONNECTIONS, seconds=SECONDS, headers=target.headers
    )
    await _settled(target)
    count = many.statuses[200]
    if not count:
        raise RuntimeError(f"{target.name} answered {dict(many.statuses)}")
    cost = 1000 * (_cpu(target) - before) / count
    return Measured(target.name, many.per_second, round(cost, 2), one.median_ms, round(memory, 1))


def _cpu(target: Target) -> float:
    return sum(map(cpu_seconds, target.pids()))


async def _settled(target: Target) -> None:
    busy = True
    while busy:
        before = _cpu(target)
        await asyncio.sleep(1)
        busy = _cpu(target) - before > IDLE_CORES


@asynccontextmanager
async def started(
    name: str, argv: Sequence[str], folder: Path, port: int, **variables: str
) -> AsyncIterator[Process]:
    """A process that serves HTTP on `port`."""
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")} | variables
    process = Process(Command(name=name, argv=tuple(argv), log=folder / f"{name}.log", env=env))

    async def answers() -> bool:
        return await http_answer(f"http://{LOOPBACK}:{port}/openapi.json") is not None

    process.start()
    try:
        await process.wait_ready(answers, READY_SECONDS)
        yield process
    finally:
        process.kill()


async def measure_peers(folder: Path) -> list[Measured]:
    """Every system, one after the other."""
    stub = free_port()
    argv = (sys.executable, "-m", "bench.peers.stub", str(stub))
    upstream = Process(Command(name="stub", argv=argv, log=folder / "stub.log"))
    upstream.start()
    url = f"http://{LOOPBACK}:{stub}"
    try:
        return [
            await _telecine(folder / "telecine"),
            await _dbos(folder, url),
            await _faststream(folder, url),
            await _litellm(folder, url),
        ]
    finally:
        upstream.kill()


async def _telecine(folder: Path) -> Measured:
    async with running(folder, "--task-seconds", "86400") as bench:
        target = Target(
            "telecine",
            bench.stack.config.gateway_url + GENERATE,
            POST_BODY,
            {"x-api-key": bench.key},
            lambda: [bench.pid(name) for name in (*COUNTED, "s3")],
        )
        return await measure(target)


async def _dbos(folder: Path, upstream: str) -> Measured:
    port = free_port()
    argv = (str(PYTHON), str(HERE / "dbos_steps.py"), str(port), upstream, str(folder))
    async with started("dbos", argv, folder, port) as process:
        return await measure(_target("DBOS, SQLite", port, lambda: process_tree(_pid(process))))


async def _faststream(folder: Path, upstream: str) -> Measured:
    port = free_port()
    async with nats_server(folder / "nats") as nats:
        argv = (str(PYTHON), str(HERE / "faststream_steps.py"), str(port), upstream, nats.url)
        assert isinstance(nats.power, Process)
        server = _pid(nats.power)
        async with started("faststream", argv, folder, port) as process:
            return await measure(
                _target("FastStream, JetStream", port, lambda: [*process_tree(_pid(process)), server])
            )


async def _litellm(folder: Path, upstream: str) -> Measured:
    port = free_port()
    config = folder / "litellm.yaml"
    model = {"model": "openai/bench", "api_base": upstream, "api_key": "bench"}
    config.write_text(json.dumps({"model_list": [{"model_name": "bench", "litellm_params": model}]}))
    program = str(PYTHON.with_name("litellm"))
    argv = (program, "--config", str(config), "--host", LOOPBACK, "--port", str(port), "--telemetry", "False")
    key = f"sk-{secrets.token_hex(32)}"
    async with started("litellm", argv, folder, port, LITELLM_MASTER_KEY=key) as process:
        target = _target("LiteLLM proxy, video route", port, lambda: process_tree(_pid(process)))
        body = json.dumps({"model": "bench", "prompt": "bench", "seconds": "4", "size": "720x1280"}).encode()
        return await measure(
            Target(
                target.name,
                f"http://{LOOPBACK}:{port}/v1/videos",
                body,
                {"authorization": f"Bearer {key}"},
                target.pids,
            )
        )


def _target(name: str, port: int, pids: Callable[[], Sequence[int]]) -> Target:
    return Target(name, f"http://{LOOPBACK}:{port}{GENERATE}", POST_BODY, {}, pids)


def _pid(process: Process) -> int:
    assert process.pid is not None, f"{process.name} does not run"
    return process.pid


def main() -> int:
    """Print the table, or one JSON document."""
    parser = argparse.ArgumentParser(prog="bench.peers", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="telecine-peers-") as folder:
        rows = asyncio.run(measure_peers(Path(folder)))
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return 0
    print(f"{'system':<30} {'accepted/s':>11} {'processor ms':>13} {'median ms, one':>15} {'idle MiB':>9}")
    for row in rows:
        print(
            f"{row.name:<30} {row.accepted_per_second:>11g} {row.processor_ms:>13g} {row.median_ms:>15g} "
            f"{row.idle_mib:>9g}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
