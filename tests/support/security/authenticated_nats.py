"""A nats-server that lets in those only who have a key, with every stream and consumer provisioned."""

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nats.errors

from telecine_cli.errors import CommandError
from telecine_cli.provisioning.credentials import USERS_FILE
from telecine_cli.provisioning.streams import provision
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_cli.stack.ports import free_ports
from telecine_cli.stack.process import Process
from telecine_cli.target import Target, connected
from telecine_contracts.permissions import PROVISIONER

__all__ = ["guarded_nats", "run_in_thread"]

_READY_SECONDS = 30.0


@contextmanager
def guarded_nats(
    folder: Path, change: Callable[[str], str] = lambda page: page, **tls: Any
) -> Iterator[EmbeddedNats]:
    """The server, for one test or for many: it is not bound to an event loop.

    `change` may put something else in the place of the page that says who may do what; `tls`: files of NatsIdentity
    that the provisioner then needs.
    """
    port, monitoring_port = free_ports(2)
    part = EmbeddedNats(folder / "nats", port, monitoring_port, credentials=folder / "credentials")
    process = Process(part.command(folder / "logs" / "nats.log"))
    page = folder / "credentials" / USERS_FILE
    page.write_text(change(page.read_text()))
    provisioner = Target(part.url, access=replace(part.access(PROVISIONER), **tls), identity=PROVISIONER)
    process.start()
    try:
        run_in_thread(process.wait_ready(lambda: _answers(provisioner), _READY_SECONDS))
        run_in_thread(_provision(provisioner))
        yield part
    finally:
        process.kill()
        shutil.rmtree(part.folder, ignore_errors=True)


async def _answers(provisioner: Target) -> bool:
    try:
        async with connected(provisioner) as connection:
            await connection.jetstream(timeout=1).account_info()
    except (CommandError, nats.errors.Error, OSError):
        return False
    return True


async def _provision(provisioner: Target) -> None:
    async with connected(provisioner) as connection:
        await provision(connection)


def run_in_thread(work: Coroutine[Any, Any, None]) -> None:
    """Asynchronous work in a thread and a loop of its own, whether one runs here or not."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(asyncio.run, work).result()
