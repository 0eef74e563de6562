"""Connections to a server that knows identities, as one of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telecine_chassis.nats.connection import connect
from telecine_cli.stack.nats_server import EmbeddedNats
from telecine_jetstream.client import NatsClient

__all__ = ["connect_as"]


@asynccontextmanager
async def connect_as(identity: str, part: EmbeddedNats) -> AsyncIterator[NatsClient]:
    """A connection as `identity`, for as long as the block lasts; its options are those of the services."""
    connection = await connect(part.url, identity, access=part.access(identity))
    try:
        yield connection
    finally:
        await connection.close()
