"""A nats-server that lets in those only who have a key, with every stream and consumer provisioned."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.identities import coming_as

from telecine_cli.credentials import USERS_FILE
from telecine_cli.nats_part import NatsPart
from telecine_cli.ports import free_ports
from telecine_cli.process import Process
from telecine_cli.provisioning import provision
from telecine_contracts.permissions import OPERATOR

__all__ = ["guarded_nats", "run_apart"]

_READY_SECONDS = 30.0


@contextmanager
def guarded_nats(folder: Path, change: Callable[[str], str] = lambda page: page) -> Iterator[NatsPart]:
    """The server, for one test or for many: it is not bound to an event loop.

    `change` may put something else in the place of the page that says who may do what.
    """
    port, monitoring_port = free_ports(2)
    part = NatsPart(folder / "nats", port, monitoring_port, credentials=folder / "credentials")
    process = Process(part.command(folder / "logs" / "nats.log"))
    page = folder / "credentials" / USERS_FILE
    page.write_text(change(page.read_text()))
    process.start()
    try:
        run_apart(process.wait_ready(part.ready, _READY_SECONDS))
        run_apart(_provision(part))
        yield part
    finally:
        process.kill()
        shutil.rmtree(part.folder, ignore_errors=True)


async def _provision(part: NatsPart) -> None:
    async with coming_as(OPERATOR, part) as connection:
        await provision(connection)


def run_apart(work: Coroutine[Any, Any, None]) -> None:
    """Asynchronous work in a thread and a loop of its own, whether one runs here or not."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(asyncio.run, work).result()
