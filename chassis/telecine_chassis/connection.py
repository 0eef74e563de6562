"""One way to connect to NATS: for ever, loudly, and never as a zombie."""

from collections.abc import Awaitable, Callable
from typing import Any

import nats
import structlog
from nats.aio.client import Client

__all__ = ["connect", "options"]

log = structlog.get_logger(__name__)


def options(name: str, on_closed: Callable[[], Awaitable[None]] | None = None) -> dict[str, Any]:
    """Connection options for a service called `name`.

    Reconnects without end (the client's default gives up after two minutes and lives on deaf); a silent server is
    noticed within 20 s. A refused publish reaches only the error callback, so that one logs at error level.
    `on_closed` is told when the connection is closed for good.
    """

    async def error(problem: Exception) -> None:
        log.error("nats.error", error=type(problem).__name__, detail=str(problem)[:200])

    async def disconnected() -> None:
        log.warning("nats.disconnected")

    async def reconnected() -> None:
        log.info("nats.reconnected")

    async def closed() -> None:
        if on_closed is not None:
            await on_closed()

    return {
        "name": name,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.2,
        "ping_interval": 10,
        "max_outstanding_pings": 2,
        "connect_timeout": 5,
        "error_cb": error,
        "disconnected_cb": disconnected,
        "reconnected_cb": reconnected,
        "closed_cb": closed,
        "inbox_prefix": f"_INBOX.{name}",
    }


async def connect(url: str, name: str, on_closed: Callable[[], Awaitable[None]] | None = None) -> Client:
    """A connection to the NATS servers at `url` (several: separated by commas). Raises OSError or nats' errors."""
    return await nats.connect(servers=url.split(","), **options(name, on_closed))
