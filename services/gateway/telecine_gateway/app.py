"""How the gateway is put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter

from telecine_chassis.eventstore.command_handler import CommandHandler, Decider
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.http_server.limits import HttpLimits
from telecine_chassis.http_server.server import HttpServer
from telecine_chassis.projections.runner import ProjectionRunner
from telecine_chassis.projections.slots import Slots
from telecine_chassis.runtime.bootstrap import ServiceBuilder
from telecine_chassis.runtime.service import Service
from telecine_chassis.timers.jetstream import JetStreamTimers
from telecine_contracts import registry
from telecine_contracts.credits import LedgerEvent
from telecine_contracts.pricing import PRICE_TABLE
from telecine_contracts.version import __version__
from telecine_gateway.access.auth import Auth
from telecine_gateway.access.key_catch_up import ApiKeyCatchUp
from telecine_gateway.admin import routes as admin_routes
from telecine_gateway.admin.ledger_commands import LedgerCommands
from telecine_gateway.callbacks import routes as callbacks_routes
from telecine_gateway.content import routes as content_routes
from telecine_gateway.content.download_slots import DownloadSlots
from telecine_gateway.content.s3 import S3Config, S3Content
from telecine_gateway.content.signed_urls import SignedUrls
from telecine_gateway.credits import routes as credits_routes
from telecine_gateway.credits import statement_routes
from telecine_gateway.documentation import routes as documentation_routes
from telecine_gateway.documentation.openapi import Api
from telecine_gateway.http import health
from telecine_gateway.http.errors import install_error_handlers
from telecine_gateway.http.middleware import install_middleware
from telecine_gateway.http.pagination import CursorCodec
from telecine_gateway.ledger.nats import NatsLedger
from telecine_gateway.pricing import routes as pricing_routes
from telecine_gateway.read_model.account_queries import AccountQueries
from telecine_gateway.read_model.consistency import Arrivals, Positions, Waiters
from telecine_gateway.read_model.projections import METADATA, PROJECTIONS, VERSION
from telecine_gateway.read_model.queries import Queries
from telecine_gateway.read_model.statement_queries import StatementQueries
from telecine_gateway.read_model.tables import Charge
from telecine_gateway.videos import routes as video_routes
from telecine_gateway.videos import submission_routes
from telecine_gateway.videos.cancellation import Cancellations, notify_progress
from telecine_gateway.videos.reader import GenerationReader
from telecine_gateway.videos.request_rules import RequestRules
from telecine_gateway.videos.serializers import VideoSerializer
from telecine_gateway.videos.submission import Commands, Submissions, notify_outcome

from .domain import Generation, decide, evolve
from .settings import Settings

SOURCE = "telecine/gateway"
NEW_KEY = 5
"""Seconds that a request with a key nobody knows waits for the tables, if keys were made just now."""
FRESH = 2
"""Seconds that a read waits for its own account's last writes; then it answers with what there is."""


def build(settings: Settings) -> Service:
    """The gateway, not yet started."""
    parts = ServiceBuilder("gateway", settings, registry())
    projections = parts.projections(Slots(settings.database, METADATA, VERSION), PROJECTIONS)
    bucket = S3Content(
        S3Config(
            settings.s3_endpoint,
            settings.s3_region,
            settings.s3_access_key,
            settings.s3_secret_key.get_secret_value(),
        ),
        settings.content_downloads,
    )
    api = Api(__version__)
    install_error_handlers(api)
    install_middleware(api, parts.tracing, parts.metrics)
    service = parts.service(
        before=[projections, bucket],
        checks=[projections.ready],
        http=HttpServer(
            api,
            settings.http_host,
            settings.http_port,
            grace=settings.stop_grace,
            notice=settings.stop_notice,
            limits=HttpLimits(
                connections=settings.http_connections,
                head_timeout=settings.http_head_timeout,
                idle_timeout=settings.http_idle_timeout,
                progress_timeout=settings.http_progress_timeout,
            ),
        ),
        reacts=False,
    )
    new_keys = ApiKeyCatchUp(
        lambda: projections.newest("access"), lambda: projections.sequence("access"), within=NEW_KEY
    )
    live = _Live(
        projections,
        new_keys,
        Auth(Queries(lambda: projections.engine), new_keys.catch_up),
        Positions(lambda: projections.sequence("generations")),
        Positions(lambda: projections.sequence("ledger")),
    )
    live.listen()
    parts.metrics.observable_gauge(
        "telecine_waiters", "Requests that wait for what comes of them", live.waiting, label="kind", every=0
    )
    operation = [health.router(service.ready), documentation_routes.router(api)]
    for router in [*_routers(settings, parts, live, bucket), *operation]:
        api.include_router(router)
    return service


@dataclass(frozen=True)
class _Live:
    """The projections, and everybody who is told what they have just made visible."""

    projections: ProjectionRunner
    new_keys: ApiKeyCatchUp
    auth: Auth
    positions: Positions
    entries: Positions
    outcomes: Waiters[Charge] = field(default_factory=Waiters[Charge])
    progress: Waiters[Generation] = field(default_factory=Waiters[Generation])
    arrivals: Arrivals = field(default_factory=Arrivals)

    def listen(self) -> None:
        """Before start only."""
        self.projections.watch("generations", self._generations_seen)
        self.projections.listen("generations", lambda events: self.positions.moved())
        self.projections.watch("ledger", self._ledger_seen)
        self.projections.listen("ledger", lambda events: self.entries.moved())
        self.projections.listen("access", self.auth.forget_keys)
        self.projections.listen("access", lambda events: self.new_keys.moved())

    async def fresh(self, account: str) -> None:
        """Until the tables show what the account has been told, or has done here."""
        await self.positions.seen(account, within=FRESH)
        await self.entries.seen(account, within=FRESH)

    async def waiting(self) -> Mapping[str, float]:
        """How many requests wait, and for what."""
        return {"outcome": len(self.outcomes), "cancel": len(self.progress)}

    async def arrived(self, account: str, entry: int) -> None:
        """Until the entry has come here, so that a read from now on waits for it."""
        await self.arrivals.until(account, entry, within=FRESH)

    def _generations_seen(self, events: Sequence[RecordedEvent]) -> None:
        for recorded in events:
            notify_progress(self.progress, recorded)

    def _ledger_seen(self, events: Sequence[RecordedEvent]) -> None:
        """Answers go out before the tables follow; whoever reads the tables then waits for the entry."""
        for recorded in events:
            assert isinstance(recorded.event, LedgerEvent)
            self.entries.wrote(recorded.event.account, recorded.sequence)
            self.arrivals.seen(recorded.event.account, recorded.event.entry)
            notify_outcome(self.outcomes, recorded)
        self.arrivals.moved()


def _routers(
    settings: Settings, parts: ServiceBuilder, live: _Live, bucket: S3Content
) -> Sequence[APIRouter]:
    clock, auth = parts.clock, live.auth
    store = parts.event_store(timeout=settings.store_timeout)
    commands: Commands = CommandHandler(
        store,
        Decider(Generation(), decide, evolve),
        source=SOURCE,
        clock=clock,
        assume_new=True,
        timeout=settings.store_timeout,
    )
    queries = Queries(lambda: live.projections.engine)
    generations = GenerationReader(queries, store, lambda: live.projections.sequence("ledger"))
    secret = settings.content_secret.get_secret_value()
    links = SignedUrls(secret, settings.public_url, settings.content_url_ttl)
    views = VideoSerializer(links)
    cursors = CursorCodec(secret)
    rules = RequestRules(settings.models, settings.default_model, frozenset(settings.image_url_private_hosts))
    submissions = Submissions(
        commands,
        queries,
        live.outcomes,
        live.positions,
        live.fresh,
        prices=PRICE_TABLE,
        patience=settings.answer_timeout,
    )
    cancellations = Cancellations(commands, live.progress, patience=settings.cancel_timeout)
    reading = content_routes.ContentAccess(auth, links, generations, clock)
    slots = DownloadSlots(
        settings.content_downloads,
        per_account=settings.content_downloads_per_account,
        per_video=settings.content_downloads_per_video,
    )
    timers = JetStreamTimers(parts.connection, "generation", timeout=settings.store_timeout)
    accounts = AccountQueries(queries)
    ledger = NatsLedger(parts.connection, timeout=settings.answer_timeout)
    ledger_commands = LedgerCommands(ledger, live.arrived)
    callback_secret = settings.callback_secret.get_secret_value()
    body = settings.max_body_bytes
    return [
        submission_routes.router(auth, submissions, rules, max_body=body),
        video_routes.status_router(auth, generations, views, clock),
        video_routes.history_router(auth, queries, live.fresh, views, cursors, clock),
        credits_routes.router(auth, StatementQueries(queries), accounts, live.fresh, cursors, clock),
        statement_routes.router(
            auth,
            statement_routes.StatementDependencies(
                StatementQueries(queries), accounts, live.fresh, cursors, clock
            ),
        ),
        admin_routes.router(
            auth, admin_routes.AdminDependencies(ledger_commands, accounts, live.fresh, cursors, clock, body)
        ),
        pricing_routes.router(PRICE_TABLE, rules),
        content_routes.router(reading, bucket, slots),
        video_routes.record_router(auth, generations, cancellations, views, clock),
        callbacks_routes.router(callback_secret, timers, max_body=body),
    ]
