"""How the gateway is put together."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from telecine_chassis.assembly import Assembly
from telecine_chassis.commands import Aggregates, Decider
from telecine_chassis.database import Slots
from telecine_chassis.http import HttpServer
from telecine_chassis.projection import Projections
from telecine_chassis.service import Service
from telecine_chassis.store import Recorded
from telecine_chassis.store_jetstream import JetStreamEventStore
from telecine_contracts import registry
from telecine_contracts.pricing import PRICE_TABLE

from . import api_credits, api_generate, api_health, api_pricing, api_video
from .auth import Auth
from .cancellation import Cancellations, tell_progress
from .domain import Generation, decide, evolve
from .edge import Edge
from .errors import install
from .projections import METADATA, PROJECTIONS, VERSION
from .queries import Queries
from .request import Rules
from .settings import Settings
from .signing import ContentLinks
from .state import Generations
from .submission import Commands, Submissions, tell_outcome
from .tables import Charge
from .views import Views
from .waiters import Positions, Waiters

SOURCE = "telecine/gateway"


def build(settings: Settings) -> Service:
    """The gateway, not yet started."""
    parts = Assembly("gateway", settings, registry())
    projections = Projections(
        Slots(settings.database_url, METADATA, VERSION),
        PROJECTIONS,
        parts.connection,
        parts.registry,
        service="gateway",
        on_failure=parts.fail,
    )
    app = FastAPI(title="telecine", docs_url=None, redoc_url=None)
    install(app)
    app.add_middleware(Edge)
    service = parts.service(
        before=[projections],
        checks=[projections.ready],
        http=HttpServer(app, settings.http_host, settings.http_port, grace=settings.stop_grace),
        reacts=False,
    )
    for router in _routers(settings, parts, projections, service):
        app.include_router(router)
    return service


def _routers(
    settings: Settings, parts: Assembly, projections: Projections, service: Service
) -> Sequence[APIRouter]:
    store = JetStreamEventStore(parts.connection, parts.registry, timeout=settings.store_timeout)
    commands: Commands = Aggregates(
        store,
        Decider(Generation(), decide, evolve),
        source=SOURCE,
        clock=parts.clock,
        assume_new=True,
        patience=settings.store_timeout,
    )
    queries = Queries(lambda: projections.engine)
    auth, positions = Auth(queries), Positions()
    outcomes, progress = Waiters[Charge](), Waiters[Generation]()
    _listen(projections, auth, positions, outcomes, progress)
    generations = Generations(queries, store, lambda: projections.sequence("ledger"))
    views = Views(
        ContentLinks(
            settings.content_secret.get_secret_value(), settings.public_url, settings.content_url_ttl
        )
    )
    rules = Rules(settings.models, settings.default_model, frozenset(settings.image_url_private_hosts))
    submissions = Submissions(
        commands, queries, outcomes, positions, prices=PRICE_TABLE, patience=settings.answer_timeout
    )
    cancellations = Cancellations(commands, progress, patience=settings.cancel_timeout)
    return [
        api_health.router(service.ready),
        api_generate.router(auth, submissions, rules, max_body=settings.max_body_bytes),
        api_video.status_router(auth, generations, views, parts.clock),
        api_video.history_router(auth, queries, positions, views, parts.clock),
        api_credits.router(auth, queries),
        api_pricing.router(PRICE_TABLE, rules),
        api_video.record_router(auth, generations, cancellations, views, parts.clock),
    ]


def _listen(
    projections: Projections,
    auth: Auth,
    positions: Positions,
    outcomes: Waiters[Charge],
    progress: Waiters[Generation],
) -> None:
    """Who is told what, after it can be queried."""

    def generations_moved(events: Sequence[Recorded]) -> None:
        if events:
            positions.reached(events[-1].sequence)
        for recorded in events:
            tell_progress(progress, recorded)

    def ledger_moved(events: Sequence[Recorded]) -> None:
        for recorded in events:
            tell_outcome(outcomes, recorded)

    projections.listen("generations", generations_moved)
    projections.listen("ledger", ledger_moved)
    projections.listen("access", auth.changed)
