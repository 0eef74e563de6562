"""A nats-server, as tests know it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from tests.support.servers.lifecycle import READY_SECONDS, ServerProcess

__all__ = ["NatsServer"]


@dataclass(frozen=True)
class NatsServer:
    """A running nats-server without authentication. `blocks`: the stream's message blocks on disk, as of now."""

    url: str
    monitoring_url: str
    power: ServerProcess
    blocks: Callable[[str], Sequence[bytes]]

    async def start(self) -> None:
        """Start (again) on the same data and ports, and wait until JetStream answers."""
        self.power.start()
        await self.power.wait_ready(self.answers, READY_SECONDS)

    async def stop(self) -> None:
        """Stop in order (SIGTERM)."""
        await self.power.terminate()

    def kill(self) -> None:
        """SIGKILL; what was acknowledged is on disk."""
        self.power.kill()

    async def answers(self) -> bool:
        """Whether JetStream does (a listening socket is no proof)."""
        if not await self._greets():
            return False
        try:
            async with self._connection() as connection:
                await connection.jetstream(timeout=1).account_info()
        except (OSError, NatsError):
            return False
        return True

    async def _greets(self) -> bool:
        """Whether the server sends INFO: the client leaks a socket if none comes."""
        place = urlsplit(self.url)
        try:
            reader, writer = await asyncio.open_connection(place.hostname, place.port)
        except OSError:
            return False
        try:
            async with asyncio.timeout(1):
                return (await reader.readline()).startswith(b"INFO ")
        except OSError:
            return False
        finally:
            writer.close()

    async def streams(self) -> list[str]:
        """The names of all streams."""
        async with self._connection() as connection:
            return [str(info.config.name) for info in await connection.jetstream().streams_info()]

    async def clear(self) -> None:
        """Remove every stream: JetStream is as new."""
        async with self._connection() as connection:
            jetstream = connection.jetstream()
            for info in await jetstream.streams_info():
                await jetstream.delete_stream(str(info.config.name))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Client]:
        connection = await nats.connect(
            self.url,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=1,
            error_cb=_ignore_error,
        )
        try:
            yield connection
        finally:
            await connection.close()


async def _ignore_error(error: Exception) -> None:
    """Not being able to connect yet is an answer here, not an error to log."""
