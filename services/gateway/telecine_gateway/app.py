"""How the gateway is put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter

from telecine_chassis.assembly import Assembly
from telecine_chassis.commands import Aggregates, Decider
from telecine_chassis.database import Slots
from telecine_chassis.http import HttpServer
from telecine_chassis.http_limits import HttpLimits
from telecine_chassis.projection import Projections
from telecine_chassis.service import Service
from telecine_chassis.store import Recorded
from telecine_chassis.timers_jetstream import JetStreamTimers
from telecine_contracts import registry
from telecine_contracts.credits import LedgerEvent
from telecine_contracts.pricing import PRICE_TABLE
from telecine_contracts.version import __version__

from . import (
    api_admin,
    api_callback,
    api_content,
    api_credits,
    api_generate,
    api_health,
    api_pages,
    api_pricing,
    api_statement,
    api_video,
)
from .account_queries import Accounts
from .administration import Administration
from .auth import Auth
from .cancellation import Cancellations, tell_progress
from .content_s3 import S3Config, S3Content
from .content_slots import ContentSlots
from .cursor import Cursors
from .domain import Generation, decide, evolve
from .edge import Edge
from .errors import install
from .ledger_nats import NatsLedger
from .meters import HttpMeters
from .new_keys import NewKeys
from .observed import Observed
from .openapi import Api
from .projections import METADATA, PROJECTIONS, VERSION
from .queries import Queries
from .request import Rules
from .settings import Settings
from .signing import ContentLinks
from .state import Generations
from .statement_queries import Statements
from .submission import Commands, Submissions, tell_outcome
from .tables import Charge
from .text_check import TextCheck
from .views import Views
from .waiters import Arrivals, Positions, Waiters

SOURCE = "telecine/gateway"
NEW_KEY = 5
"""Seconds that a request with a key nobody knows waits for the tables, if keys were made just now."""
FRESH = 2
"""Seconds that a read waits for its own account's last writes; then it answers with what there is."""


def build(settings: Settings) -> Service:
    """The gateway, not yet started."""
    parts = Assembly("gateway", settings, registry())
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
    install(api)
    api.add_middleware(TextCheck)
    api.add_middleware(Edge)
    api.add_middleware(Observed, tracing=parts.tracing, meters=HttpMeters(parts.metrics))
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
    new_keys = NewKeys(
        lambda: projections.newest("access"), lambda: projections.sequence("access"), within=NEW_KEY
    )
    live = _Live(
        projections,
        new_keys,
        Auth(Queries(lambda: projections.engine), new_keys.caught_up),
        Positions(lambda: projections.sequence("generations")),
        Positions(lambda: projections.sequence("ledger")),
    )
    live.listen()
    parts.metrics.asked(
        "telecine_waiters", "Requests that wait for what comes of them", live.waiting, label="kind", every=0
    )
    operation = [api_health.router(service.ready), api_pages.router(api)]
    for router in [*_routers(settings, parts, live, bucket), *operation]:
        api.include_router(router)
    return service


@dataclass(frozen=True)
class _Live:
    """The projections, and everybody who is told what they have just made visible."""

    projections: Projections
    new_keys: NewKeys
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
        self.projections.listen("access", self.auth.changed)
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

    def _generations_seen(self, events: Sequence[Recorded]) -> None:
        for recorded in events:
            tell_progress(self.progress, recorded)

    def _ledger_seen(self, events: Sequence[Recorded]) -> None:
        """Answers go out before the tables follow; whoever reads the tables then waits for the entry."""
        for recorded in events:
            assert isinstance(recorded.event, LedgerEvent)
            self.entries.wrote(recorded.event.account, recorded.sequence)
            self.arrivals.seen(recorded.event.account, recorded.event.entry)
            tell_outcome(self.outcomes, recorded)
        self.arrivals.moved()


def _routers(settings: Settings, parts: Assembly, live: _Live, bucket: S3Content) -> Sequence[APIRouter]:
    clock, auth = parts.clock, live.auth
    store = parts.event_store(timeout=settings.store_timeout)
    commands: Commands = Aggregates(
        store,
        Decider(Generation(), decide, evolve),
        source=SOURCE,
        clock=clock,
        assume_new=True,
        patience=settings.store_timeout,
    )
    queries = Queries(lambda: live.projections.engine)
    generations = Generations(queries, store, lambda: live.projections.sequence("ledger"))
    secret = settings.content_secret.get_secret_value()
    links = ContentLinks(secret, settings.public_url, settings.content_url_ttl)
    views = Views(links)
    cursors = Cursors(secret)
    rules = Rules(settings.models, settings.default_model, frozenset(settings.image_url_private_hosts))
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
    reading = api_content.Reading(auth, links, generations, clock)
    slots = ContentSlots(
        settings.content_downloads,
        per_account=settings.content_downloads_per_account,
        per_video=settings.content_downloads_per_video,
    )
    timers = JetStreamTimers(parts.connection, "generation", timeout=settings.store_timeout)
    accounts = Accounts(queries)
    ledger = NatsLedger(parts.connection, patience=settings.answer_timeout)
    administration = Administration(ledger, live.arrived)
    callback_secret = settings.callback_secret.get_secret_value()
    body = settings.max_body_bytes
    return [
        api_generate.router(auth, submissions, rules, max_body=body),
        api_video.status_router(auth, generations, views, clock),
        api_video.history_router(auth, queries, live.fresh, views, cursors, clock),
        api_credits.router(auth, queries, accounts, live.fresh, cursors, clock),
        api_statement.router(
            auth, api_statement.Desk(Statements(queries), accounts, live.fresh, cursors, clock)
        ),
        api_admin.router(auth, api_admin.Office(administration, accounts, live.fresh, cursors, clock, body)),
        api_pricing.router(PRICE_TABLE, rules),
        api_content.router(reading, bucket, slots),
        api_video.record_router(auth, generations, cancellations, views, clock),
        api_callback.router(callback_secret, timers, max_body=body),
    ]
