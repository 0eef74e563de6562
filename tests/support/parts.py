"""Real servers for tests, on free ports and a folder of their own; gone when the block ends."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from telecine_cli.nats_part import NatsPart
from telecine_cli.ports import free_ports
from telecine_cli.process import Process

__all__ = ["NatsServer", "nats_server", "nats_server_for_many_loops"]

_READY_SECONDS = 20.0
T = TypeVar("T")


@dataclass(frozen=True)
class NatsServer:
    """A running nats-server with an empty JetStream, which a test may kill and start again."""

    part: NatsPart
    process: Process

    @property
    def url(self) -> str:
        return self.part.url

    @property
    def monitoring_url(self) -> str:
        return self.part.monitoring_url

    async def start(self) -> None:
        """Start (again) on the same folder and ports, and wait until JetStream answers."""
        self.process.start()
        await self.process.wait_ready(self.part.ready, _READY_SECONDS)

    async def stop(self) -> None:
        """Stop in order (SIGTERM)."""
        await self.process.terminate()

    def kill(self) -> None:
        """SIGKILL; what was acknowledged is on disk."""
        self.process.kill()


def _new_nats(folder: Path) -> NatsServer:
    port, monitoring_port = free_ports(2)
    part = NatsPart(folder / "nats", port, monitoring_port)
    return NatsServer(part, Process(part.command(folder / "logs" / "nats.log")))


@asynccontextmanager
async def nats_server(folder: Path) -> AsyncIterator[NatsServer]:
    """A fresh nats-server (about 60 ms)."""
    server = _new_nats(folder)
    try:
        await server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.part.folder, ignore_errors=True)


@contextmanager
def nats_server_for_many_loops(folder: Path) -> Iterator[NatsServer]:
    """The same for a fixture that outlives one test, hence one event loop."""
    server = _new_nats(folder)
    try:
        _run(server.start())
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.part.folder, ignore_errors=True)


def _run(work: Coroutine[Any, Any, T]) -> T:
    # Not asyncio.run: it would leave the thread without the loop that pytest-asyncio set.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()
