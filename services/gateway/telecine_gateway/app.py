"""Composition root of the gateway.

| package | routes |
|---|---|
| videos/submission_routes | POST /api/video/generate |
| videos/routes | GET /api/video/status, /history, /{id}; POST /api/video/{id}/cancel |
| content/routes | GET /api/video/{id}/content |
| credits/routes | GET /api/credits |
| credits/statement_routes | GET /api/credits/statement |
| admin/routes | POST /api/admin/grants, /adjustments; GET /api/admin/accounts/{account} |
| admin/routes | POST /api/admin/accounts/{account}/close, /reopen; PUT …/limits |
| models/routes | GET /api/models |
| pricing/routes | GET /api/pricing |
| pricing/quote_routes | POST /api/quotes |
| keys/routes | GET, POST /api/keys; POST /api/keys/{id}/rotate; DELETE /api/keys/{id} |
| callbacks/routes | POST /callbacks/provider/{account}/{generation}/{token} |
| http/health | GET /healthz, /readyz |
| documentation/routes | GET /docs, /events, /events/asyncapi.json; FastAPI adds /openapi.json |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter

from telecine_chassis.eventstore.command_handler import CommandHandler, Decider
from telecine_chassis.http_server.limits import HttpLimits
from telecine_chassis.http_server.server import HttpServer
from telecine_chassis.projections.runner import ProjectionRunner
from telecine_chassis.projections.slots import Slots
from telecine_chassis.runtime.bootstrap import ServiceBuilder
from telecine_chassis.runtime.service import Service
from telecine_chassis.timers.jetstream import JetStreamTimers
from telecine_contracts import registry
from telecine_contracts.version import __version__
from telecine_gateway.access import key_rules
from telecine_gateway.access.auth import Auth
from telecine_gateway.access.key_catch_up import ApiKeyCatchUp
from telecine_gateway.access.key_rules import Keys
from telecine_gateway.access.key_usage import KeyUsage
from telecine_gateway.access.sign_up import SignUpGrants
from telecine_gateway.access.token_rules import TokenRules
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
from telecine_gateway.keys import routes as key_routes
from telecine_gateway.keys.account_keys import AccountKeys, KeyCommands, record_use
from telecine_gateway.ledger.nats import NatsLedger
from telecine_gateway.models import routes as models_routes
from telecine_gateway.pricing import quote_routes
from telecine_gateway.pricing import routes as pricing_routes
from telecine_gateway.pricing.current_prices import CurrentPrices
from telecine_gateway.pricing.quotes import Quotes
from telecine_gateway.pricing.request_prices import RequestPrices
from telecine_gateway.rate_limits.account_limits import AccountLimits, Limits
from telecine_gateway.rate_limits.addresses import ClientAddresses
from telecine_gateway.rate_limits.generation_counts import GenerationCounts
from telecine_gateway.rate_limits.limiter import (
    GenerationLimit,
    RateLimitedAuth,
    RateLimitMiddleware,
    RequestLimits,
)
from telecine_gateway.rate_limits.rules import Policy, parse_rate
from telecine_gateway.read_model.account_queries import AccountQueries
from telecine_gateway.read_model.live_updates import LiveUpdates
from telecine_gateway.read_model.projections import METADATA, PROJECTIONS, VERSION
from telecine_gateway.read_model.queries import Queries, Recent
from telecine_gateway.read_model.statement_queries import StatementQueries
from telecine_gateway.videos import routes as video_routes
from telecine_gateway.videos import submission_routes
from telecine_gateway.videos.cancellation import Cancellations
from telecine_gateway.videos.queue_positions import QueuePositions
from telecine_gateway.videos.reader import GenerationReader
from telecine_gateway.videos.request_rules import RequestRules
from telecine_gateway.videos.serializers import VideoSerializer
from telecine_gateway.videos.submission import Commands, Submissions

from .domain import Generation, decide, evolve
from .settings import Settings

if TYPE_CHECKING:
    from telecine_gateway.access.jwks import IssuerKeys
    from telecine_gateway.access.token_auth import TokenAuth

SOURCE = "telecine/gateway"
NEW_KEY_TIMEOUT = 5
"""Seconds that a request with an unknown key waits for the tables, if keys were created just now."""


def build(settings: Settings) -> Service:
    """The gateway, not started."""
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
    keys = ApiKeyCatchUp(
        lambda: projections.newest("access"), lambda: projections.sequence("access"), within=NEW_KEY_TIMEOUT
    )
    recent = Recent()
    queries = Queries(lambda: projections.engine, recent)
    live = LiveUpdates(projections)
    limits, generation_limit = _rate_limits(settings, parts, projections, queries)
    # The layer that is added last is the outermost.
    api.add_middleware(
        RateLimitMiddleware, limits=limits, addresses=ClientAddresses(settings.trusted_proxies)
    )
    install_middleware(api, parts.tracing, parts.metrics)
    issuer = _issuer(settings, parts, queries, live) if settings.jwks_url else None
    key_commands: KeyCommands = CommandHandler(
        parts.event_store(timeout=settings.store_timeout),
        Decider(Keys(), key_rules.decide, key_rules.evolve),
        source=SOURCE,
        clock=parts.clock,
        timeout=settings.store_timeout,
    )
    usage = KeyUsage(partial(record_use, key_commands), parts.clock)
    auth = RateLimitedAuth(
        limits, queries, keys.catch_up, parts.clock, usage.note, issuer.auth if issuer else None
    )
    account_keys = AccountKeys(key_commands, keys.wait_until_visible, parts.clock)
    service = parts.service(
        before=[projections, bucket, usage, *([issuer.keys] if issuer else [])],
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
    # When events arrive as well as when the tables have them: what is older than an event that arrived is not shown
    # from memory, also if the database is away.
    projections.watch("generations", recent.forget)
    projections.watch("ledger", recent.forget)
    projections.listen("generations", recent.forget)
    projections.listen("ledger", recent.forget)
    projections.on_slot_change(recent.forget_all)
    projections.on_slot_change(lambda: auth.forget_keys(()))
    projections.listen("access", auth.forget_keys)
    prices = CurrentPrices(queries, parts.clock)
    positions = QueuePositions(queries)
    projections.listen("queue", positions.forget)
    projections.on_slot_change(positions.forget)
    projections.listen("catalog", prices.forget)
    projections.on_slot_change(prices.forget)
    projections.listen("access", lambda events: keys.advanced())
    live.subscribe()
    parts.metrics.observable_gauge(
        "telecine_waiters",
        "Requests that wait for their outcome",
        live.waiting_count,
        label="kind",
        every=0,
    )
    operation = [
        key_routes.router(
            auth, account_keys, AccountQueries(queries), keys.catch_up, max_body=settings.max_body_bytes
        ),
        health.router(service.ready),
        documentation_routes.router(api),
    ]
    routers = _routers(
        settings, parts, projections, queries, auth, prices, positions, live, bucket, generation_limit
    )
    for router in [*routers, *operation]:
        api.include_router(router)
    return service


def _rate_limits(
    settings: Settings, parts: ServiceBuilder, projections: ProjectionRunner, queries: Queries
) -> tuple[RequestLimits, GenerationLimit]:
    counts = GenerationCounts(queries.newest_requests, parts.clock)
    default = Limits(
        _policy("account", settings.rate_limit_account),
        _policy("generations", settings.rate_limit_generations),
    )
    accounts = AccountLimits(queries.rate_limits, default, on_change=counts.forget_all)
    projections.listen("access", accounts.forget)
    projections.on_slot_change(accounts.forget_all)
    projections.watch("generations", counts.watch)
    projections.listen("generations", counts.committed)
    projections.on_slot_change(counts.slot_changed)
    limits = RequestLimits(
        accounts,
        address=_policy("address", settings.rate_limit_address),
        key=_policy("key", settings.rate_limit_key),
        failures=_policy("failed-authentication", settings.rate_limit_failed_auth),
    )
    return limits, GenerationLimit(accounts, counts)


def _policy(name: str, rate: str) -> Policy | None:
    parsed = parse_rate(rate)
    return None if parsed is None else Policy(name, *parsed)


@dataclass(frozen=True, slots=True)
class _Issuer:
    """The issuer of tokens that are accepted beside API keys."""

    keys: "IssuerKeys"
    auth: "TokenAuth"


def _issuer(settings: Settings, parts: ServiceBuilder, queries: Queries, live: LiveUpdates) -> _Issuer:
    # cryptography is loaded by gateways that take tokens.
    from telecine_gateway.access.jwks import IssuerKeys
    from telecine_gateway.access.token_auth import TokenAuth
    from telecine_gateway.access.tokens import TokenVerifier

    assert settings.jwks_url is not None and settings.jwt_issuer is not None
    keys = IssuerKeys(settings.jwks_url, settings.jwt_algorithms)
    rules = TokenRules(
        issuer=settings.jwt_issuer,
        audiences=settings.jwt_audiences,
        account_claim=settings.jwt_account_claim,
        scope_claims=settings.jwt_scope_claims,
        default_scopes=settings.jwt_default_scopes,
        sign_up_claim=settings.signup_claim,
    )
    grants = SignUpGrants(
        NatsLedger(parts.connection, timeout=settings.answer_timeout),
        AccountQueries(queries).has_grant,
        live.wait_for_entry,
        credits=settings.signup_credits,
    )
    return _Issuer(keys, TokenAuth(TokenVerifier(rules, keys), parts.metrics, grants.ensure))


def _routers(
    settings: Settings,
    parts: ServiceBuilder,
    projections: ProjectionRunner,
    queries: Queries,
    auth: Auth,
    prices: CurrentPrices,
    positions: QueuePositions,
    live: LiveUpdates,
    bucket: S3Content,
    generation_limit: GenerationLimit,
) -> Sequence[APIRouter]:
    clock = parts.clock
    store = parts.event_store(timeout=settings.store_timeout)
    commands: Commands = CommandHandler(
        store,
        Decider(Generation(), decide, evolve),
        source=SOURCE,
        clock=clock,
        assume_new=True,
        timeout=settings.store_timeout,
    )
    generations = GenerationReader(queries, store, lambda: projections.sequence("ledger"))
    secret = settings.content_secret.get_secret_value()
    links = SignedUrls(secret, settings.public_url, settings.content_url_ttl)
    views = VideoSerializer(links)
    cursors = CursorCodec(secret)
    rules = RequestRules(settings.models, settings.default_model, frozenset(settings.image_url_private_hosts))
    quotes = Quotes(secret, settings.quote_ttl)
    request_prices = RequestPrices(prices, quotes, clock)
    submissions = Submissions(
        commands,
        queries,
        live.outcomes,
        live.requests,
        live.wait_until_current,
        timeout=settings.answer_timeout,
    )
    cancellations = Cancellations(commands, live.progress, timeout=settings.cancel_timeout)
    reading = content_routes.ContentAccess(auth, links, generations, clock)
    slots = DownloadSlots(
        settings.content_downloads,
        per_account=settings.content_downloads_per_account,
        per_video=settings.content_downloads_per_video,
    )
    timers = JetStreamTimers(parts.connection, "generation", timeout=settings.store_timeout)
    accounts = AccountQueries(queries)
    ledger = NatsLedger(parts.connection, timeout=settings.answer_timeout)
    ledger_commands = LedgerCommands(ledger, live.wait_for_entry)
    callback_secret = settings.callback_secret.get_secret_value()
    body = settings.max_body_bytes
    return [
        submission_routes.router(auth, submissions, request_prices, rules, generation_limit, max_body=body),
        video_routes.status_router(auth, generations, positions, views, clock),
        video_routes.history_router(auth, queries, live.wait_until_current, views, cursors, clock),
        credits_routes.router(
            auth, StatementQueries(queries), accounts, live.wait_until_current, cursors, clock
        ),
        statement_routes.router(
            auth,
            statement_routes.StatementDependencies(
                StatementQueries(queries), accounts, live.wait_until_current, cursors, clock
            ),
        ),
        admin_routes.router(
            auth,
            admin_routes.AdminDependencies(
                ledger_commands, accounts, live.wait_until_current, cursors, clock, body
            ),
        ),
        models_routes.router(prices, rules),
        pricing_routes.router(prices, rules),
        quote_routes.router(auth, request_prices, rules, max_body=body),
        content_routes.router(reading, bucket, slots),
        video_routes.record_router(auth, generations, cancellations, positions, views, clock),
        callbacks_routes.router(callback_secret, timers, max_body=body),
    ]
