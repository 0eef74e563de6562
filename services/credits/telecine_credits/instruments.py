"""What the credits service measures beside what every service does."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Engine

from telecine_chassis.nats.server_health import ServerHealth
from telecine_chassis.telemetry.metrics import Metrics
from telecine_credits.checkpoints.publisher import Checkpointing
from telecine_credits.read_model.queries import holds, holds_since_before, sides

__all__ = [
    "CommandMeters",
    "LedgerMeters",
    "measure_checkpoints",
    "measure_event_store",
    "measure_tables",
]


class LedgerMeters:
    """What this service has written to the ledger since it was started."""

    def __init__(self, metrics: Metrics) -> None:
        self.entries = metrics.counter(
            "telecine_ledger_entries", "Entries of the ledger written here, by what they say", "entry"
        )
        self.credits = metrics.counter(
            "telecine_credits_moved",
            "Credits that entries written here moved: granted, debited, settled, refunded, expired, adjusted",
            "entry",
        )
        self.denials = metrics.counter(
            "telecine_debits_denied", "Generations that were not paid for, by reason", "reason"
        )


class CommandMeters:
    """Commands to the ledger over request/reply."""

    def __init__(self, metrics: Metrics) -> None:
        self.commands = metrics.counter(
            "telecine_ledger_commands",
            "Commands by their subject's last word and their answer: done, unchanged, or why they were refused",
            "command",
            "outcome",
        )
        self.seconds = metrics.histogram(
            "telecine_ledger_command_duration_seconds", "How long a command takes", "command"
        )


def measure_tables(
    metrics: Metrics, engine: Callable[[], Engine], clock: Callable[[], datetime], limit: timedelta
) -> None:
    """What the tables hold, when somebody wants to know it. `limit`: the age at which a hold is overdue."""

    async def on_each_side() -> Mapping[str, float]:
        return await asyncio.to_thread(sides, engine())

    async def count() -> float:
        return await asyncio.to_thread(holds, engine())

    async def overdue() -> float:
        return await asyncio.to_thread(holds_since_before, engine(), clock() - limit)

    metrics.observable_gauge(
        "telecine_credits",
        "Credits of all grants by where they are (available, held, spent, expired, taken_back), all granted, and "
        "those of all holds",
        on_each_side,
        label="side",
        every=5,
    )
    metrics.observable_gauge("telecine_holds", "Generations that credits are held for", count)
    metrics.observable_gauge(
        "telecine_holds_overdue", "Holds that are older than TELECINE_HOLD_LIMIT", overdue
    )


def measure_event_store(metrics: Metrics, health: ServerHealth) -> None:
    """Tell how full the disks of the NATS servers are, as far as the servers know it."""
    metrics.observable_gauge(
        "telecine_nats_storage_bytes",
        "Bytes that the streams use on disk, by server",
        health.stored,
        label="server",
        every=15,
    )
    metrics.observable_gauge(
        "telecine_nats_storage_limit_bytes",
        "Bytes that they may use there (max_file_store)",
        health.limit,
        label="server",
        every=15,
    )


def measure_checkpoints(
    metrics: Metrics, checkpointing: Checkpointing, clock: Callable[[], datetime]
) -> None:
    """How old the newest checkpoint of the ledger is, and how much of the ledger it covers."""

    async def age() -> float:
        newest = checkpointing.newest
        return (clock() - newest.at).total_seconds() if newest is not None else float("nan")

    async def size() -> float:
        newest = checkpointing.newest
        return newest.checkpoint.size if newest is not None else 0

    async def unsigned() -> float:
        return checkpointing.unsigned

    async def refused() -> float:
        return float(checkpointing.refused)

    metrics.observable_gauge("telecine_checkpoint_age_seconds", "Since the newest checkpoint was signed", age)
    metrics.observable_gauge("telecine_checkpoint_entries", "Entries that the newest checkpoint covers", size)
    metrics.observable_gauge(
        "telecine_checkpoint_unsigned_entries", "Entries that no checkpoint covers yet", unsigned
    )
    metrics.observable_gauge(
        "telecine_checkpoint_refused", "1 if the ledger is not what was signed, else 0", refused
    )
