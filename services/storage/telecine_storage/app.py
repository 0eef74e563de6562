"""Composition of the storage service."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from telecine_chassis.eventstore.command_handler import CommandHandler, Decider
from telecine_chassis.projections.runner import ProjectionRunner
from telecine_chassis.projections.slots import Slots
from telecine_chassis.runtime.bootstrap import ServiceBuilder
from telecine_chassis.runtime.cancellation import run_in_thread
from telecine_chassis.runtime.service import Service
from telecine_chassis.timers.port import Timer
from telecine_chassis.timers.sweeper import PendingTimer, Sweeper
from telecine_contracts import registry
from telecine_storage.bucket.disk_sync import ObjectFiles, SyncedBucket
from telecine_storage.bucket.port import Bucket
from telecine_storage.bucket.s3 import S3Bucket, S3Config
from telecine_storage.handlers.copy import COPY, CopyHandler
from telecine_storage.handlers.erase import Erasures
from telecine_storage.read_model.projections import PROJECTIONS
from telecine_storage.read_model.queries import count_pending_copies, pending_copies, recoverable_videos
from telecine_storage.read_model.tables import METADATA, VERSION
from telecine_storage.source.http import HttpSource, SourcePolicy
from telecine_storage.transfer.object_check import recopy_timers
from telecine_storage.transfer.transfer import TransferLimits

from .domain import RetryPolicy, Video, decide, evolve
from .handlers import register_consumers
from .instruments import CopyInstruments
from .settings import Settings

TIMER_TOLERANCE = 5.0
"""Seconds that a timer may be set later than planned."""


def build(settings: Settings) -> Service:
    """The storage service, not yet started."""
    builder = ServiceBuilder("storage", settings, registry())
    source = HttpSource(
        SourcePolicy(hosts=settings.result_hosts, allow_private=settings.result_allow_private)
    )
    bucket = S3Bucket(s3_config(settings))
    erasures = Erasures(builder.store, bucket)
    register_consumers(builder.reactor, _copy_handler(builder, settings, source, bucket, erasures), erasures)
    projections = builder.projections(Slots(settings.database, METADATA, VERSION), PROJECTIONS)
    register_gauges(builder, projections)
    return builder.service(
        _timer_sweeper(builder, settings, projections),
        _object_sweeper(builder, settings, projections, bucket),
        before=[_Adapters(source, bucket), projections],
        checks=[projections.ready],
    )


def _copy_handler(
    builder: ServiceBuilder, settings: Settings, source: HttpSource, bucket: Bucket, erasures: Erasures
) -> CopyHandler:
    decider = Decider(Video(), decide, evolve)
    return CopyHandler(
        CommandHandler(builder.store, decider, source="telecine/storage", clock=builder.clock),
        source,
        synced_bucket(bucket, settings),
        builder.timers,
        erasures,
        bucket_name=settings.s3_bucket,
        retry_policy=retry_policy(settings),
        limits=TransferLimits(settings.result_max_bytes, settings.copy_timeout),
        clock=builder.clock,
        instruments=CopyInstruments(builder.metrics),
    )


def register_gauges(builder: ServiceBuilder, projections: ProjectionRunner) -> None:
    """Registers the gauge whose value is counted in the tables when metrics are scraped."""

    async def count() -> float:
        return await asyncio.to_thread(count_pending_copies, projections.engine)

    builder.metrics.observable_gauge(
        "telecine_copies_owed", "Videos that are ready and not stored yet", count
    )


def _timer_sweeper(builder: ServiceBuilder, settings: Settings, projections: ProjectionRunner) -> Sweeper:
    """Restores lost timers of pending copies."""
    # The longest pause between two tries, or the sweeper's own delay.
    longest = max(settings.copy_retry_longest, settings.copy_timeout) + TIMER_TOLERANCE

    async def pending() -> Sequence[PendingTimer]:
        copies = await run_in_thread(lambda: pending_copies(projections.engine))
        return [
            PendingTimer(
                Timer(COPY, (copy.account, copy.generation)), traceparent=copy.traceparent, longest=longest
            )
            for copy in copies
        ]

    return builder.sweeper(
        pending, projections, interval=settings.sweep_interval, delay=settings.copy_timeout
    )


def _object_sweeper(
    builder: ServiceBuilder, settings: Settings, projections: ProjectionRunner, bucket: Bucket
) -> Sweeper:
    """Sets timers for stored objects that are missing or incomplete."""

    async def damaged() -> Sequence[PendingTimer]:
        until = builder.clock() + timedelta(seconds=settings.copy_margin)
        videos = await run_in_thread(
            lambda: recoverable_videos(projections.engine, settings.s3_bucket, after=until)
        )
        return await recopy_timers(bucket, videos)

    return builder.sweeper(damaged, projections, interval=settings.object_check_interval)


def synced_bucket(bucket: Bucket, settings: Settings) -> Bucket:
    """The bucket; if its server's files are on this machine, objects are synced to disk."""
    if settings.s3_files is None:
        return bucket
    return SyncedBucket(bucket, ObjectFiles(settings.s3_files, settings.s3_bucket))


def s3_config(settings: Settings) -> S3Config:
    """Configuration of the bucket's S3 client."""
    return S3Config(
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        bucket=settings.s3_bucket,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        checksums=settings.s3_files is None,
    )


def retry_policy(settings: Settings) -> RetryPolicy:
    """When a failed copy is retried."""
    return RetryPolicy(
        first=settings.copy_retry_first,
        longest=settings.copy_retry_longest,
        source_tries=settings.copy_source_tries,
        refusal_tries=settings.copy_refusal_tries,
        margin=settings.copy_margin,
    )


class _Adapters:
    """Opens and closes the connections to the provider's files and to the bucket."""

    def __init__(self, source: HttpSource, bucket: S3Bucket) -> None:
        self._source = source
        self._bucket = bucket

    async def start(self) -> None:
        await self._bucket.start()

    async def stop(self) -> None:
        await self._source.aclose()
        await self._bucket.aclose()
