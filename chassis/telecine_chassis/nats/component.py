"""A service's connection to NATS as a component, with readiness, liveness and metrics."""

from typing import Any

import structlog
from nats.aio.client import Client

from telecine_chassis.telemetry.instruments import ConnectionInstruments
from telecine_jetstream.errors import PermissionViolation

from .server_health import ServerHealth

__all__ = ["NatsComponent", "instrumented_options"]

log = structlog.get_logger(__name__)


class NatsComponent:
    """The connection: the first component to start and the last to stop."""

    def __init__(self, client: Client, url: str, options: dict[str, Any], *, known: bool) -> None:
        """`known`: the service has credentials, or is in a sandbox and needs none."""
        self._client = client
        self._servers = url.split(",")
        self._options = options
        self._known = known
        self._health = ServerHealth(client)

    async def start(self) -> None:
        if not self._known:
            log.warning(
                "nats.anonymous", detail="connecting without credentials; set TELECINE_NATS_NKEY_SEED_FILE"
            )
        await self._client.connect(servers=self._servers, **self._options)

    async def stop(self) -> None:
        await self._client.close()

    async def ready(self) -> str | None:
        """Send real requests: a connection stays up while a stream can't be written, e.g. on a full disk."""
        if not self._client.is_connected:
            return "not connected to NATS"
        await self._client.jetstream().account_info()
        return await self._health.problem()

    def alive(self) -> str | None:
        """A lost connection reconnects; a closed one needs a restart."""
        return "the connection to NATS is closed" if self._client.is_closed else None


def _kind(problem: Exception, denial: PermissionViolation | None) -> str:
    if denial is None:
        return type(problem).__name__
    return "answer_lost" if denial.loses_reply else f"denied_{denial.action}"


def instrumented_options(options: dict[str, Any], meters: ConnectionInstruments) -> dict[str, Any]:
    """`options` with callbacks that also count errors and disconnections."""

    async def error(problem: Exception) -> None:
        denial = PermissionViolation.of(problem)
        kind = _kind(problem, denial)
        meters.errors.labels(kind).inc()
        await options["error_cb"](problem)

    async def disconnected() -> None:
        meters.disconnects.inc()
        await options["disconnected_cb"]()

    return options | {"error_cb": error, "disconnected_cb": disconnected}
