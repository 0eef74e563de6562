"""Composition of the generation service."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import urlsplit

from telecine_chassis.callback_tokens import callback_token
from telecine_chassis.eventstore.command_handler import CommandHandler, Decider
from telecine_chassis.network import is_in_domain
from telecine_chassis.projections.availability import retry_while_unavailable
from telecine_chassis.projections.runner import ProjectionRunner
from telecine_chassis.projections.slots import Slots
from telecine_chassis.runtime.bootstrap import ServiceBuilder
from telecine_chassis.runtime.cancellation import run_in_thread
from telecine_chassis.runtime.service import Service
from telecine_chassis.timers.port import Timer
from telecine_chassis.timers.sweeper import PendingTimer
from telecine_contracts import registry
from telecine_contracts.dispatch_queue import DispatchQueue, evolve_queue
from telecine_generation.handlers.bucket_poller import WAKE, BucketPoller
from telecine_generation.handlers.claim_watch import ClaimWatch
from telecine_generation.handlers.dispatch import Dispatcher, DispatchPolicy
from telecine_generation.handlers.poll import GenerationPoller
from telecine_generation.handlers.submit import SubmissionPolicy, Submitter
from telecine_generation.provider.ark import ArkConfig, ArkProvider
from telecine_generation.provider.instrumented import InstrumentedProvider
from telecine_generation.provider.port import Provider
from telecine_generation.read_model.followed_tasks import FollowedTasks
from telecine_generation.read_model.projections import PROJECTIONS
from telecine_generation.read_model.queries import (
    InFlight,
    count_by_phase,
    followed_tasks,
    oldest_submission_at,
    with_own_timer,
)
from telecine_generation.read_model.tables import METADATA, VERSION
from telecine_generation.rules.decider import decide
from telecine_generation.rules.dispatch import decide_queue
from telecine_generation.rules.generation import Generation, evolve
from telecine_generation.rules.polling_schedule import PollingSchedule, longest_interval

from .handlers import register_consumers
from .instruments import ProviderInstruments
from .settings import Settings


def build(settings: Settings) -> Service:
    """The generation service, not yet started."""
    builder = ServiceBuilder("generation", settings, registry())
    provider = InstrumentedProvider(ArkProvider(ark_config(settings)), ProviderInstruments(builder.metrics))
    decider = Decider(Generation(), decide, evolve)
    generations = CommandHandler(builder.store, decider, source="telecine/generation", clock=builder.clock)
    queues = CommandHandler(
        builder.store,
        Decider(DispatchQueue(), decide_queue, evolve_queue),
        source="telecine/generation",
        clock=builder.clock,
    )
    policy = DispatchPolicy(settings.provider_limits, settings.account_limit, settings.capacity_recovery)
    dispatcher = Dispatcher(queues, generations, builder.timers, policy, builder.clock)
    submitter = Submitter(
        generations,
        provider,
        submission_policy(settings),
        builder.clock,
        ClaimWatch(),
        dispatcher.slow_down,
    )
    schedule = PollingSchedule(settings.poll_interval, settings.reconcile_interval, settings.late_interval)
    tasks = FollowedTasks(schedule.poll)
    buckets = BucketPoller(
        generations,
        provider,
        builder.timers,
        tasks,
        schedule=schedule,
        silence=settings.deadline_silence,
        clock=builder.clock,
    )
    poller = GenerationPoller(
        generations, submitter, provider, builder.timers, buckets, schedule=schedule, clock=builder.clock
    )
    register_consumers(builder.reactor, generations, submitter, poller, buckets, dispatcher)
    projections = builder.projections(Slots(settings.database, METADATA, VERSION), PROJECTIONS)
    projections.listen("in_flight", tasks.apply)
    projections.on_slot_change(tasks.invalidate)
    register_gauges(builder, projections)

    async def unfinished() -> Sequence[PendingTimer]:
        if not tasks.is_complete:
            read = partial(run_in_thread, lambda: followed_tasks(projections.engine))
            tasks.load(await retry_while_unavailable(read, projection="in_flight"))
        rows = await run_in_thread(lambda: with_own_timer(projections.engine))
        return [*buckets.pending(), *(_pending_timer(row, schedule) for row in rows)]

    sweeper = builder.sweeper(unfinished, projections, interval=settings.sweep_interval)
    adapters = _Adapters(provider, buckets)
    return builder.service(sweeper, before=[adapters, projections], checks=[projections.ready])


def _pending_timer(row: InFlight, schedule: PollingSchedule) -> PendingTimer:
    timer = Timer(WAKE, (row.account, row.generation))
    return PendingTimer(timer, row.retry_at, row.traceparent, longest_interval(schedule, late=row.ended))


def register_gauges(builder: ServiceBuilder, projections: ProjectionRunner) -> None:
    """Registers the gauges whose values are counted in the tables when metrics are scraped."""

    async def in_phases() -> Mapping[str, float]:
        return await asyncio.to_thread(count_by_phase, projections.engine)

    async def oldest() -> float:
        since = await asyncio.to_thread(oldest_submission_at, projections.engine)
        return (builder.clock() - since).total_seconds() if since is not None else 0

    builder.metrics.observable_gauge(
        "telecine_generations_in_flight",
        "Generations that have not ended: submitting, following (the provider has them), or late (failed, but polled)",
        in_phases,
        label="phase",
    )
    builder.metrics.observable_gauge(
        "telecine_submission_oldest_seconds",
        "Age of the oldest generation whose submission is not confirmed",
        oldest,
    )


def ark_config(settings: Settings) -> ArkConfig:
    """Configuration of the provider's HTTP client."""
    return ArkConfig(
        base_url=settings.provider_base_url,
        api_key=settings.provider_api_key,
        post_timeout=settings.provider_post_timeout,
        read_timeout=settings.provider_read_timeout,
    )


def submission_policy(settings: Settings) -> SubmissionPolicy:
    """Times and limits of a submission."""
    byteplus = is_in_domain(urlsplit(settings.provider_base_url).hostname or "", "bytepluses.com")
    return SubmissionPolicy(
        provider="byteplus" if byteplus else "ark",
        byteplus=byteplus,
        lease=settings.submission_lease,
        post_timeout=settings.provider_post_timeout,
        absent_after=settings.submission_absent_after,
        max_unanswered=settings.submission_unanswered_most,
        total_timeout=settings.submission_patience,
        retry_first=settings.submission_retry_first,
        retry_longest=settings.submission_retry_longest,
        deadline=settings.deadline,
        callback_url=callback_url(settings),
    )


def callback_url(settings: Settings) -> Callable[[str, str], str | None]:
    """The callback URL by account and generation; its last segment is a token that only the gateway can verify."""
    base, secret = settings.callback_base_url, settings.callback_secret
    if base is None or secret is None:
        return lambda account, generation: None

    def url(account: str, generation: str) -> str:
        token = callback_token(secret.get_secret_value(), account, generation)
        return f"{base.rstrip('/')}/callbacks/provider/{account}/{generation}/{token}"

    return url


class _Adapters:
    """Closes the provider's connections after the reactor has stopped."""

    def __init__(self, provider: Provider, buckets: BucketPoller) -> None:
        self._provider = provider
        self._buckets = buckets

    async def start(self) -> None:
        """Nothing to do: connections are opened at the first call."""

    async def stop(self) -> None:
        await self._buckets.aclose()
        await self._provider.aclose()
