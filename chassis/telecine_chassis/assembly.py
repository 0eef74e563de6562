"""The parts that every service is made of, named once; a service's `app.py` adds its own."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from faststream.nats import NatsBroker
from nats.aio.client import Client

from telecine_contracts import Registry

from .connection import options
from .http import HttpServer, health_app
from .reactor import Reactor
from .service import Part, Service
from .settings import ServiceSettings
from .store_jetstream import JetStreamEventStore
from .timers_jetstream import JetStreamTimers

__all__ = ["Assembly", "utc_now"]


def utc_now() -> datetime:
    """The time now, with its zone."""
    return datetime.now(UTC)


class Assembly:
    """Connection, event store, timers and reactor of the service `name`; nothing is connected before start."""

    def __init__(self, name: str, settings: ServiceSettings, registry: Registry) -> None:
        self.name = name
        self.clock: Callable[[], datetime] = utc_now
        self.registry = registry
        self._settings = settings
        self.connection = Client()
        self._link = _Connection(self.connection, settings.nats_url, name, self._closed)
        self.broker = NatsBroker(
            settings.nats_url.split(","),
            logger=None,
            graceful_timeout=settings.stop_grace,
            **options(name, self._closed),
        )
        self.store = JetStreamEventStore(self.connection, registry)
        self.timers = JetStreamTimers(self.connection, name)
        self.reactor = Reactor(
            self.broker,
            self.connection,
            registry,
            service=name,
            grace=settings.stop_grace,
            on_failure=self.fail,
        )
        self._service: Service | None = None

    def service(
        self,
        *parts: Part,
        before: Sequence[Part] = (),
        checks: Sequence[Callable[[], Awaitable[str | None]]] = (),
        http: HttpServer | None = None,
        reacts: bool = True,
    ) -> Service:
        """The service: its connection, the parts that come `before` the reactor, the reactor, `parts`, and HTTP.

        `http` replaces the small server that answers for the service's health.
        """
        service: Service
        server = http or HttpServer(
            health_app(lambda: service.ready()), self._settings.health_host, self._settings.health_port
        )
        reactor: list[Part] = [self.reactor] if reacts else []
        own_checks = [self._link.ready, self.reactor.ready, *checks]
        service = Service(self.name, [self._link, *before, *reactor, *parts, server], own_checks)
        self._service = service
        return service

    def fail(self, reason: str) -> None:
        """End the service: see Service.fail."""
        if self._service is not None:
            self._service.fail(reason)

    async def _closed(self) -> None:
        self.fail("a connection to NATS was closed for good")


class _Connection:
    """The connection as the first part to start and the last to stop."""

    def __init__(self, client: Client, url: str, name: str, on_closed: Callable[[], Awaitable[None]]) -> None:
        self._client = client
        self._servers = url.split(",")
        self._options = options(name, on_closed)

    async def start(self) -> None:
        await self._client.connect(servers=self._servers, **self._options)

    async def stop(self) -> None:
        await self._client.close()

    async def ready(self) -> str | None:
        """A real call: a TCP connection stays up while JetStream is disabled, e.g. by a full disk."""
        if not self._client.is_connected:
            return "not connected to NATS"
        await self._client.jetstream().account_info()
        return None
