"""NATS connection factory: reconnects indefinitely, logs every error, and reports a permanently closed connection."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from telecine_jetstream.client import NatsClient
from telecine_jetstream.errors import PermissionViolation
from telecine_jetstream.identity import ANONYMOUS, NatsIdentity

__all__ = ["connect", "connection_options"]

log = structlog.get_logger(__name__)


def connection_options(
    name: str,
    on_closed: Callable[[], Awaitable[None]] | None = None,
    *,
    on_violation: Callable[[PermissionViolation], None] = lambda violation: None,
) -> dict[str, Any]:
    """Options for `NatsClient.connect` of a service called `name`.

    It reconnects indefinitely (nats-py's default gives up after two minutes) and notices an unresponsive server within
    20 s. `on_violation` is called for each permission violation, `on_closed` when the connection is closed permanently.
    """

    async def error(problem: Exception) -> None:
        violation = PermissionViolation.of(problem)
        if violation is None:
            log.error("nats.error", error=type(problem).__name__, detail=str(problem)[:200])
            return
        if violation.loses_reply:
            log.warning(
                "nats.answer_lost", detail="the server's users were reloaded while a request was served"
            )
            return
        log.error("nats.not_allowed", action=violation.action, subject=violation.subject)
        on_violation(violation)

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


async def connect(
    url: str,
    name: str,
    on_closed: Callable[[], Awaitable[None]] | None = None,
    *,
    access: NatsIdentity = ANONYMOUS,
) -> NatsClient:
    """Connect to the NATS servers at `url` (several: separated by commas). Raises OSError or nats' errors."""
    client = NatsClient()
    options = connection_options(name, on_closed) | access.client_options()
    await client.connect(servers=url.split(","), **options)
    return client
