"""Real servers for tests, lent for as long as a block lasts. Who makes them: tests/support/servers/backend.py."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.support.event_loops import run_in_new_loop
from tests.support.servers.backend import maker
from tests.support.servers.nats import NatsServer
from tests.support.servers.postgres import Postgres
from tests.support.servers.s3 import S3Server

__all__ = [
    "NatsServer",
    "Postgres",
    "S3Server",
    "nats_server",
    "postgres_server",
    "run_in_new_loop",
    "s3_server",
    "shared_nats_server",
]


@asynccontextmanager
async def nats_server(folder: Path) -> AsyncIterator[NatsServer]:
    """A nats-server with an empty JetStream, for one test."""
    with maker().nats(folder) as server:
        await server.start()
        await server.clear()
        yield server


@contextmanager
def shared_nats_server(folder: Path) -> Iterator[NatsServer]:
    """The same for a fixture that outlives one test, hence one event loop."""
    with maker().nats(folder) as server:
        run_in_new_loop(server.start())
        run_in_new_loop(server.clear())
        yield server


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """An S3 server, for one test or for many: it is not bound to an event loop."""
    with maker().s3(folder) as server:
        server.start()
        yield server


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A Postgres; not bound to an event loop either."""
    with maker().postgres() as server:
        run_in_new_loop(server.start())
        yield server
