"""Composition root of the credits service."""

from collections.abc import Sequence
from datetime import timedelta

from telecine_chassis.eventstore.command_handler import Decider
from telecine_chassis.nats.server_health import ServerHealth
from telecine_chassis.projections.runner import ProjectionRunner
from telecine_chassis.projections.slots import Slots
from telecine_chassis.runtime.bootstrap import ServiceBuilder
from telecine_chassis.runtime.cancellation import run_in_thread
from telecine_chassis.runtime.service import Component, Service
from telecine_chassis.timers.sweeper import PendingTimer
from telecine_contracts import registry
from telecine_credits.archive.folder import FolderArchive
from telecine_credits.archive.port import CheckpointArchive
from telecine_credits.archive.s3 import S3Archive, S3ArchiveConfig
from telecine_credits.checkpoints.archiver import CheckpointArchiver
from telecine_credits.checkpoints.log import CheckpointLog
from telecine_credits.checkpoints.publisher import (
    CheckpointPublisher,
    CheckpointSchedule,
    CheckpointsDisabled,
)
from telecine_credits.checkpoints.tree import LedgerReader
from telecine_credits.checkpoints.tree_store import TreeStore
from telecine_credits.handlers.expire import expiry_timer
from telecine_credits.read_model.projections import PROJECTIONS
from telecine_credits.read_model.queries import expirable_grants
from telecine_credits.read_model.tables import METADATA, VERSION
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.decider import decide, skipped_sequence

from .handlers import register_consumers
from .instruments import (
    CommandInstruments,
    InstrumentedLedger,
    LedgerInstruments,
    register_checkpoint_gauges,
    register_event_store_gauges,
    register_table_gauges,
)
from .request_reply import serve_commands
from .settings import Settings

EXPIRY_LOOKAHEAD = timedelta(hours=1)
"""The sweeper restores lost timers of grants that expire within this time; a later sweep restores the others."""

TIMER_TOLERANCE = 5.0
"""Seconds after a grant's expiry for which its timer may still be pending."""


def build(settings: Settings) -> Service:
    """The credits service, not yet started."""
    builder = ServiceBuilder("credits", settings, registry())
    ledger = InstrumentedLedger(
        builder.store,
        Decider(Account(), decide, evolve, strict=True, skipped_sequence=skipped_sequence),
        source="telecine/credits",
        clock=builder.clock,
    )
    ledger.instruments = LedgerInstruments(builder.metrics)
    register_consumers(builder.reactor, ledger, builder.timers, builder.clock)
    serve_commands(
        builder.broker, ledger, builder.clock, builder.tracing, CommandInstruments(builder.metrics)
    )
    projections = builder.projections(Slots(settings.database, METADATA, VERSION), PROJECTIONS)
    limit = timedelta(seconds=settings.hold_limit)
    register_event_store_gauges(builder.metrics, ServerHealth(builder.connection))
    register_table_gauges(builder.metrics, lambda: projections.engine, builder.clock, limit)

    async def expiring() -> Sequence[PendingTimer]:
        by = builder.clock() + EXPIRY_LOOKAHEAD
        found = await run_in_thread(lambda: expirable_grants(projections.engine, by))
        return [
            PendingTimer(expiry_timer(account, entry), until, longest=TIMER_TOLERANCE)
            for account, entry, until in found
        ]

    sweeper = builder.sweeper(expiring, projections, interval=settings.sweep_interval)
    return builder.service(
        sweeper, *checkpoint_components(settings, builder, projections), before=[projections]
    )


def checkpoint_components(
    settings: Settings, builder: ServiceBuilder, projections: ProjectionRunner
) -> Sequence[Component]:
    """The publisher of checkpoints and the archivers that store them outside NATS."""
    signer = settings.signer()
    if signer is None:
        return [CheckpointsDisabled()]
    archives = [CheckpointArchiver(archive) for archive in checkpoint_archives(settings)]
    publisher = CheckpointPublisher(
        signer,
        LedgerReader(builder.connection),
        CheckpointLog(builder.connection, builder.store, builder.registry, clock=builder.clock),
        TreeStore(lambda: projections.engine),
        archives=archives,
        schedule=CheckpointSchedule(
            settings.checkpoint_entries, timedelta(seconds=settings.checkpoint_interval)
        ),
        clock=builder.clock,
    )
    register_checkpoint_gauges(builder.metrics, publisher, builder.clock)
    return [*archives, publisher]


def checkpoint_archives(settings: Settings) -> Sequence[CheckpointArchive]:
    """The archives in the settings: a folder, a bucket, both, or none."""
    archives: list[CheckpointArchive] = []
    if settings.checkpoint_folder is not None:
        archives.append(FolderArchive(settings.checkpoint_folder))
    if (bucket := archive_bucket(settings)) is not None:
        archives.append(S3Archive(bucket))
    return archives


def archive_bucket(settings: Settings) -> S3ArchiveConfig | None:
    """Configuration of the archive bucket; None if no bucket is set."""
    endpoint, bucket = settings.checkpoint_s3_endpoint, settings.checkpoint_s3_bucket
    access_key, secret_key = settings.checkpoint_s3_access_key, settings.checkpoint_s3_secret_key
    if endpoint is None or bucket is None or access_key is None or secret_key is None:
        return None
    return S3ArchiveConfig(
        endpoint=endpoint,
        bucket=bucket,
        access_key=access_key,
        secret_key=secret_key.get_secret_value(),
        region=settings.checkpoint_s3_region,
        prefix=settings.checkpoint_s3_prefix,
    )
