"""Builds the components that every service has; a service's `app.py` adds its own."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from telecine_chassis.consumers.dead_letters import DeadLetters
from telecine_chassis.consumers.monitor import ConsumerMonitor
from telecine_chassis.consumers.reactor import Reactor
from telecine_chassis.eventstore.instrumentation import InstrumentedEventStore
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_chassis.eventstore.port import EventStore
from telecine_chassis.http_server.limits import ADMIN_LIMITS
from telecine_chassis.http_server.server import HttpServer
from telecine_chassis.nats.component import NatsComponent, instrumented_options
from telecine_chassis.nats.connection import connection_options
from telecine_chassis.nats.server_clock import ServerClock
from telecine_chassis.projections.projector import Projection
from telecine_chassis.projections.runner import ProjectionRunner
from telecine_chassis.projections.slots import Slots
from telecine_chassis.settings.base import ServiceSettings
from telecine_chassis.telemetry.disk import data_folder, register_disk_gauges
from telecine_chassis.telemetry.instruments import Instruments
from telecine_chassis.telemetry.metrics import Metrics
from telecine_chassis.telemetry.tracing import Tracing
from telecine_chassis.timers.jetstream import JetStreamTimers
from telecine_chassis.timers.sweeper import PendingTimer, Sweeper
from telecine_contracts import Registry
from telecine_contracts.version import __version__
from telecine_jetstream.client import NatsClient
from telecine_jetstream.errors import PermissionViolation

from .health import HealthEndpoints
from .liveness import Liveness
from .service import Component, Service

if TYPE_CHECKING:  # FastStream is imported where it is used
    from telecine_chassis.nats.broker import Broker

__all__ = ["ServiceBuilder", "utc_now"]


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class ServiceBuilder:
    """Connection, event store, timers and reactor of the service `name`. Nothing connects before the service starts."""

    def __init__(self, name: str, settings: ServiceSettings, registry: Registry) -> None:
        self.name = name
        self.registry = registry
        self._settings = settings
        self.metrics = Metrics()
        self.meters = Instruments(self.metrics)
        self.tracing = Tracing(
            name, endpoint=settings.otlp_endpoint, instance=settings.instance, ratio=settings.trace_ratio
        )
        self.connection = NatsClient()
        self.clock = ServerClock(self.connection)
        self._access = access = settings.nats_identity
        self._link = NatsComponent(
            self.connection,
            settings.nats_url,
            self._options() | access.client_options(),
            known=settings.has_nats_identity or settings.profile == "sandbox",
        )
        self.store = self.event_store()
        self.timers = JetStreamTimers(self.connection, name, lead=lambda: self.clock.server_offset)
        handlers = self.meters.handlers
        watch = ConsumerMonitor(
            self.connection, handlers, every=settings.look_interval, stuck_after=settings.stuck_after
        )
        self.metrics.observable_gauge(
            "telecine_handler_oldest_seconds",
            "For how long the slowest handler has been running",
            watch.oldest,
            label="consumer",
            every=0,
        )
        self.reactor = Reactor(
            self.connection,
            registry,
            service=name,
            grace=settings.stop_grace,
            tracing=self.tracing,
            meters=handlers,
            watch=watch,
            clock=self.clock,
        )
        self._service: Service | None = None

    def _options(self) -> dict[str, Any]:
        return instrumented_options(
            connection_options(self.name, self._closed, on_violation=self._violation), self.meters.link
        )

    @cached_property
    def broker(self) -> "Broker":
        """FastStream's broker, with a connection of its own; a service that replies to no requests has none."""
        from telecine_chassis.nats.broker import Broker, broker_security

        return Broker(
            self._settings.nats_url.split(","),
            logger=None,
            graceful_timeout=self._settings.stop_grace,
            security=broker_security(self._access),
            **self._options(),
        )

    def event_store(self, *, timeout: float = 5) -> EventStore:
        """An instrumented event store; `timeout` is in seconds, per call."""
        store = JetStreamEventStore(self.connection, self.registry, timeout=timeout)
        return InstrumentedEventStore(store, self.meters.appends)

    def projections(self, slots: Slots, projections: Sequence[Projection]) -> ProjectionRunner:
        """The service's projections, instrumented."""
        following = ProjectionRunner(
            slots,
            projections,
            self.connection,
            self.registry,
            service=self.name,
            on_failure=self.fail,
            meters=self.meters.projections,
        )
        self.metrics.observable_gauge(
            "telecine_projection_lag_events",
            "How far a projection lags behind the last event that it applies, in stream sequences",
            following.lag,
            label="projection",
            every=5,
        )
        return following

    def sweeper(
        self,
        unfinished: Callable[[], Awaitable[Sequence[PendingTimer]]],
        projections: ProjectionRunner,
        *,
        interval: float,
        delay: float = 0,
    ) -> Sweeper:
        """A sweeper for the timers that `unfinished` reads from the tables."""
        return Sweeper(
            self.timers,
            unfinished,
            projections.wait,
            interval=interval,
            clock=self.clock,
            delay=delay,
            restored=self.meters.handlers.timers_restored,
        )

    def service(
        self,
        *parts: Component,
        before: Sequence[Component] = (),
        checks: Sequence[Callable[[], Awaitable[str | None]]] = (),
        http: HttpServer | None = None,
        reacts: bool = True,
    ) -> Service:
        """The service: connection, the components `before` the reactor, the reactor, `parts`, and `http`.

        The server for health and metrics starts first and stops last.
        """
        service: Service
        liveness = Liveness(
            [self._link.alive, self.reactor.alive],
            self.metrics,
            on_failure=self.fail,
            unhealthy_timeout=self._settings.unhealthy_for,
        )
        admin = HttpServer(
            HealthEndpoints(liveness.problem, lambda: service.ready(), self.metrics.page),
            self._settings.health_host,
            self._settings.health_port,
            limits=ADMIN_LIMITS,
        )
        reactor: list[Component] = [self.reactor] if reacts else []
        if "broker" in vars(self):
            reactor.append(self.broker)
        outside: list[Component] = [http] if http else []
        own_checks = [self._link.ready, self.reactor.ready, *checks]
        service = Service(
            self.name,
            [self.tracing, admin, self._link, self.clock, liveness, *before, *reactor, *parts, *outside],
            own_checks,
            tracing=self.tracing,
            metrics=self.metrics,
        )
        self._service = service
        self._register_gauges(service, liveness)
        return service

    def _register_gauges(self, service: Service, liveness: Liveness) -> None:
        async def ready() -> float:
            return float(await service.ready() is None)

        async def healthy() -> float:
            return float(liveness.problem() is None)

        self.metrics.watch_process()
        register_disk_gauges(self.metrics, data_folder(getattr(self._settings, "database_url", None)))
        self.metrics.observable_gauge("telecine_healthy", "1 if /healthz responds with 200, else 0", healthy)
        self.metrics.observable_gauge("telecine_ready", "1 if the service is ready, else 0", ready, every=5)
        letters = DeadLetters(self.connection)
        self.metrics.observable_gauge(
            "telecine_dead_letters_kept",
            "Dead letters that were neither replayed nor dismissed, of all replicas",
            lambda: letters.count(self.name),
            label="consumer",
            every=30,
        )
        build = self.metrics.gauge("telecine_build_info", "Always 1", "service", "version")
        build.labels(self.name, __version__).set(1)

    def fail(self, reason: str) -> None:
        """End the service; see Service.fail."""
        if self._service is not None:
            self._service.fail(reason)

    def _violation(self, violation: PermissionViolation) -> None:
        """End a service that can't connect, or no longer receives its messages."""
        if violation.action == "connection":
            self.fail(f"{violation}: see TELECINE_NATS_NKEY_SEED_FILE")
        elif violation.is_fatal:
            self.fail(str(violation))

    async def _closed(self) -> None:
        self.fail("a connection to NATS was closed permanently")
