"""How the credits service is put together."""

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
from telecine_credits.archive.s3 import ArchiveBucket, S3Archive
from telecine_credits.checkpoints.archiver import Archiving
from telecine_credits.checkpoints.log import CheckpointLog
from telecine_credits.checkpoints.publisher import Checkpointing, NoKey, Pace
from telecine_credits.checkpoints.tree import LedgerReader
from telecine_credits.checkpoints.tree_store import KeptTree
from telecine_credits.handlers.consumers import listen
from telecine_credits.handlers.expiry import expiry_timer
from telecine_credits.read_model.projections import PROJECTIONS
from telecine_credits.read_model.queries import to_expire
from telecine_credits.read_model.tables import METADATA, VERSION
from telecine_credits.rules.account import Account, evolve
from telecine_credits.rules.decider import decide, skipped_by

from .instrumented_ledger import CountedLedger
from .instrumented_request_reply import ObservedAnswers
from .instruments import CommandMeters, LedgerMeters, measure_checkpoints, measure_event_store, measure_tables
from .settings import Settings

AHEAD = timedelta(hours=1)
"""A lost timer of an expiry that is further off than this is looked for later: most grants have their timer."""

SLACK = 5.0
"""Seconds after the end of a grant for which its timer may wait."""


def build(settings: Settings) -> Service:
    """The credits service, not yet started."""
    parts = ServiceBuilder("credits", settings, registry())
    ledger = CountedLedger(
        parts.store,
        Decider(Account(), decide, evolve, strict=True, skipped_sequence=skipped_by),
        source="telecine/credits",
        clock=parts.clock,
    )
    ledger.meters = LedgerMeters(parts.metrics)
    observed = ObservedAnswers(parts.tracing, CommandMeters(parts.metrics))
    listen(parts.reactor, parts.broker, ledger, parts.timers, parts.clock, observed)
    projections = parts.projections(Slots(settings.database, METADATA, VERSION), PROJECTIONS)
    limit = timedelta(seconds=settings.hold_limit)
    measure_event_store(parts.metrics, ServerHealth(parts.connection))
    measure_tables(parts.metrics, lambda: projections.engine, parts.clock, limit)

    async def unfinished() -> Sequence[PendingTimer]:
        by = parts.clock() + AHEAD
        found = await run_in_thread(lambda: to_expire(projections.engine, by))
        return [
            PendingTimer(expiry_timer(account, entry), until, longest=SLACK)
            for account, entry, until in found
        ]

    sweeper = parts.sweeper(unfinished, projections, interval=settings.sweep_interval)
    return parts.service(sweeper, *checkpoint_parts(settings, parts, projections), before=[projections])


def checkpoint_parts(
    settings: Settings, parts: ServiceBuilder, projections: ProjectionRunner
) -> Sequence[Component]:
    """What signs checkpoints of the ledger and keeps them outside NATS."""
    signer = settings.signer()
    if signer is None:
        return [NoKey()]
    archives = [Archiving(archive) for archive in checkpoint_archives(settings)]
    checkpointing = Checkpointing(
        signer,
        LedgerReader(parts.connection),
        CheckpointLog(parts.connection, parts.store, parts.registry, clock=parts.clock),
        KeptTree(lambda: projections.engine),
        archives=archives,
        pace=Pace(settings.checkpoint_entries, timedelta(seconds=settings.checkpoint_interval)),
        clock=parts.clock,
    )
    measure_checkpoints(parts.metrics, checkpointing, parts.clock)
    return [*archives, checkpointing]


def checkpoint_archives(settings: Settings) -> Sequence[CheckpointArchive]:
    """Where checkpoints are kept outside NATS: nowhere, in a folder, in a bucket, or in both."""
    archives: list[CheckpointArchive] = []
    if settings.checkpoint_folder is not None:
        archives.append(FolderArchive(settings.checkpoint_folder))
    if (bucket := archive_bucket(settings)) is not None:
        archives.append(S3Archive(bucket))
    return archives


def archive_bucket(settings: Settings) -> ArchiveBucket | None:
    """The bucket that keeps checkpoints, and how it is spoken to; None: there is none."""
    endpoint, bucket = settings.checkpoint_s3_endpoint, settings.checkpoint_s3_bucket
    access_key, secret_key = settings.checkpoint_s3_access_key, settings.checkpoint_s3_secret_key
    if endpoint is None or bucket is None or access_key is None or secret_key is None:
        return None
    return ArchiveBucket(
        endpoint=endpoint,
        bucket=bucket,
        access_key=access_key,
        secret_key=secret_key.get_secret_value(),
        region=settings.checkpoint_s3_region,
        prefix=settings.checkpoint_s3_prefix,
    )
