"""A running stack to measure: embedded servers, the four services, one account with credits and a key."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from telecine_cli.demo.account import WelcomeGrant, open_account
from telecine_cli.output.provision import provision_stack
from telecine_cli.stack.config import StackOptions
from telecine_cli.stack.supervisor import Stack
from telecine_cli.target import connected, stack_target
from telecine_jetstream.client import NatsClient

SERVICES = ("gateway", "credits", "generation", "storage")
COUNTED = (*SERVICES, "nats")
"""Processes whose processor time counts as telecine's; the emulator stands for the provider."""
SETTLED_SECONDS = 300


@dataclass(frozen=True)
class BenchStack:
    """A running stack and clients of it. `ready_seconds`: how long the start took."""

    stack: Stack
    connection: NatsClient
    http: httpx.AsyncClient
    key: str
    ready_seconds: float

    def pid(self, name: str) -> int:
        """The process id of one process of the stack."""
        pid = self.stack.process(name).pid
        assert pid is not None, f"{name} does not run"
        return pid

    def cpu(self) -> Mapping[str, float]:
        """Processor seconds of telecine's processes so far."""
        return {name: cpu_seconds(self.pid(name)) for name in COUNTED}

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """Within the block these processes do not run."""
        for name in names:
            os.kill(self.pid(name), signal.SIGSTOP)
        try:
            yield
        finally:
            for name in names:
                os.kill(self.pid(name), signal.SIGCONT)

    async def settled(self) -> None:
        """Wait until every accepted request has been paid for and submitted."""
        jetstream, until = self.connection.jetstream(), time.monotonic() + SETTLED_SECONDS
        while time.monotonic() < until:
            waiting = 0
            for stream, consumer in (("VIDEO", "credits-debit"), ("LEDGER", "generation-submit")):
                info = await jetstream.consumer_info(stream, consumer)
                waiting += (info.num_pending or 0) + (info.num_ack_pending or 0)
            if not waiting:
                return
            await asyncio.sleep(0.05)
        raise TimeoutError("the stack did not settle")

    @property
    def emulator(self) -> str:
        """The emulator's root URL."""
        return self.stack.config.local_url("emulator")


@asynccontextmanager
async def running(folder: Path, *emulator_arguments: str) -> AsyncIterator[BenchStack]:
    """Run a new stack in `folder` during the block."""
    started = time.perf_counter()
    async with Stack(
        folder, StackOptions(emulator_arguments=emulator_arguments), provision=provision_stack
    ) as stack:
        ready = time.perf_counter() - started
        async with connected(stack_target(stack.config)) as connection:
            key = await open_account(connection, folder, WelcomeGrant(amount=10_000_000, reference="bench"))
            async with httpx.AsyncClient(
                base_url=stack.config.gateway_url, headers={"X-API-Key": key}, trust_env=False, timeout=30
            ) as http:
                yield BenchStack(stack, connection, http, key, ready)


@dataclass(frozen=True)
class UpCommand:
    """`telecine up` as a user runs it, ready. `ready_seconds`: from its start to the line that says so."""

    pids: Mapping[str, int]
    ready_seconds: float


@asynccontextmanager
async def up_command(folder: Path) -> AsyncIterator[UpCommand]:
    """Run `telecine up` on a new folder during the block."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telecine_cli", "up", "--data", str(folder)),
        stdout=asyncio.subprocess.PIPE,
        env=env,
    )
    assert command.stdout is not None
    try:
        while b"telecine is ready" not in (line := await command.stdout.readline()):
            assert line, "telecine up has ended"
        seconds = time.perf_counter() - started
        yield UpCommand({_name(pid): pid for pid in process_tree(command.pid)}, seconds)
    finally:
        command.send_signal(signal.SIGINT)
        await command.communicate()


def process_tree(pid: int) -> list[int]:
    """A process and its descendants (Linux)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [pid, *(each for child in children for each in process_tree(child))]


def _name(pid: int) -> str:
    """What a process of `telecine up` is called in its stack."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    program = next((word for word in words if word.startswith("telecine_")), Path(words[0]).name)
    name = program.removeprefix("telecine_")
    return {"nats-server": "nats", "rclone": "s3", "cli": "supervisor"}.get(name, name)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """Processor time of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def proportional_bytes(pid: int) -> int:
    """Memory of a process, with shared pages in proportion (PSS, Linux)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
