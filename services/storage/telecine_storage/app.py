"""How the storage service is put together."""

import asyncio
from collections.abc import Sequence

from telecine_chassis.assembly import Assembly
from telecine_chassis.cancellation import in_thread
from telecine_chassis.commands import Aggregates, Decider
from telecine_chassis.database import Slots
from telecine_chassis.service import Service
from telecine_chassis.sweeper import Owed
from telecine_chassis.timers import Timer
from telecine_contracts import registry

from .bucket_s3 import S3Bucket, S3Config
from .copy import CopyLimits
from .copy_observed import ObservedCopy
from .copying import COPY, Copier
from .domain import Patience, Video, decide, evolve
from .handlers import listen
from .meters import CopyMeters
from .projections import PROJECTIONS
from .queries import copies_owed, pending_copies
from .settings import Settings
from .source_http import HttpSource, SourceRules
from .tables import METADATA, VERSION


def build(settings: Settings) -> Service:
    """The storage service, not yet started."""
    parts = Assembly("storage", settings, registry())
    source = HttpSource(SourceRules(hosts=settings.result_hosts, allow_private=settings.result_allow_private))
    bucket = S3Bucket(s3_config(settings))
    copier = Copier(
        Aggregates(
            parts.store, Decider(Video(), decide, evolve), source="telecine/storage", clock=parts.clock
        ),
        source,
        bucket,
        parts.timers,
        bucket_name=settings.s3_bucket,
        patience=patience(settings),
        limits=CopyLimits(settings.result_max_bytes, settings.copy_timeout),
        clock=parts.clock,
        copy=ObservedCopy(CopyMeters(parts.metrics)),
    )
    listen(parts.reactor, copier)
    projections = parts.projections(Slots(settings.database, METADATA, VERSION), PROJECTIONS)

    async def owed() -> float:
        return await asyncio.to_thread(copies_owed, projections.engine)

    parts.metrics.asked("telecine_copies_owed", "Videos that are ready and not stored yet", owed)

    async def unfinished() -> Sequence[Owed]:
        rows = await in_thread(lambda: pending_copies(projections.engine))
        return [Owed(Timer(COPY, (row.account, row.generation)), traceparent=row.traceparent) for row in rows]

    sweeper = parts.sweeper(
        unfinished, projections, interval=settings.sweep_interval, delay=settings.copy_timeout
    )
    outside = _Outside(source, bucket)
    return parts.service(sweeper, before=[outside, projections], checks=[projections.ready])


def s3_config(settings: Settings) -> S3Config:
    """How the bucket is spoken to."""
    return S3Config(
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        bucket=settings.s3_bucket,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
    )


def patience(settings: Settings) -> Patience:
    """How often and how long a copy is tried."""
    return Patience(
        first=settings.copy_retry_first,
        longest=settings.copy_retry_longest,
        source_tries=settings.copy_source_tries,
        refusal_tries=settings.copy_refusal_tries,
        margin=settings.copy_margin,
    )


class _Outside:
    """The connections to the provider's files and to the bucket."""

    def __init__(self, source: HttpSource, bucket: S3Bucket) -> None:
        self._source = source
        self._bucket = bucket

    async def start(self) -> None:
        await self._bucket.start()

    async def stop(self) -> None:
        await self._source.aclose()
        await self._bucket.aclose()
