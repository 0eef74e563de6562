"""Metrics of the credits service, beside those of every service."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Engine

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, CommandResult
from telecine_chassis.nats.server_health import ServerHealth
from telecine_chassis.telemetry.metrics import Metrics
from telecine_contracts import Event
from telecine_contracts.credits import (
    CreditsAdjusted,
    CreditsDebited,
    CreditsDenied,
    CreditsExpired,
    CreditsGranted,
    CreditsRefunded,
    CreditsSettled,
)
from telecine_credits.checkpoints.publisher import CheckpointPublisher
from telecine_credits.read_model.queries import count_holds, count_holds_before, credits_by_side
from telecine_credits.rules.account import Account
from telecine_credits.rules.commands import TimedCommand

__all__ = [
    "CommandInstruments",
    "InstrumentedLedger",
    "LedgerInstruments",
    "register_checkpoint_gauges",
    "register_event_store_gauges",
    "register_table_gauges",
]


MOVEMENTS = (
    CreditsGranted,
    CreditsDebited,
    CreditsSettled,
    CreditsRefunded,
    CreditsExpired,
    CreditsAdjusted,
)
"""Entries that move credits."""


class LedgerInstruments:
    """Entries that this process has written to the ledger."""

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

    def count(self, event: Event) -> None:
        """Count an entry that was written."""
        self.entries.labels(event.action).inc()
        if isinstance(event, MOVEMENTS):
            self.credits.labels(event.action).inc(event.amount)
        elif isinstance(event, CreditsDenied):
            self.denials.labels(event.reason.value).inc()


class InstrumentedLedger(CommandHandler[TimedCommand, Account]):
    """The ledger's command handler; counts every entry that it writes. Set `instruments` before the first command."""

    instruments: LedgerInstruments

    async def handle(
        self, aggregate: str, command: TimedCommand, cause: Cause | None = None
    ) -> CommandResult[Account]:
        """See CommandHandler.handle."""
        result = await super().handle(aggregate, command, cause)
        if result.event is not None:
            self.instruments.count(result.event.event)
        return result


class CommandInstruments:
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


def register_table_gauges(
    metrics: Metrics, engine: Callable[[], Engine], clock: Callable[[], datetime], limit: timedelta
) -> None:
    """Gauges that are read from the tables when they are scraped. `limit`: the age at which a hold is overdue."""

    async def by_side() -> Mapping[str, float]:
        return await asyncio.to_thread(credits_by_side, engine())

    async def count() -> float:
        return await asyncio.to_thread(count_holds, engine())

    async def overdue() -> float:
        return await asyncio.to_thread(count_holds_before, engine(), clock() - limit)

    metrics.observable_gauge(
        "telecine_credits",
        "Credits of all grants by where they are (available, held, spent, expired, taken_back), all granted, and "
        "those of all holds",
        by_side,
        label="side",
        every=5,
    )
    metrics.observable_gauge("telecine_holds", "Generations that credits are held for", count)
    metrics.observable_gauge(
        "telecine_holds_overdue", "Holds that are older than TELECINE_HOLD_LIMIT", overdue
    )


def register_event_store_gauges(metrics: Metrics, health: ServerHealth) -> None:
    """Gauges of the NATS servers' storage, as the servers report it."""
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


def register_checkpoint_gauges(
    metrics: Metrics, publisher: CheckpointPublisher, clock: Callable[[], datetime]
) -> None:
    """Gauges of the newest checkpoint: its age, and the entries that it covers."""

    async def age() -> float:
        newest = publisher.newest
        return (clock() - newest.at).total_seconds() if newest is not None else float("nan")

    async def size() -> float:
        newest = publisher.newest
        return newest.checkpoint.size if newest is not None else 0

    async def unsigned() -> float:
        return publisher.unsigned

    async def refused() -> float:
        return float(publisher.refused)

    metrics.observable_gauge("telecine_checkpoint_age_seconds", "Since the newest checkpoint was signed", age)
    metrics.observable_gauge("telecine_checkpoint_entries", "Entries that the newest checkpoint covers", size)
    metrics.observable_gauge(
        "telecine_checkpoint_unsigned_entries", "Entries that no checkpoint covers yet", unsigned
    )
    metrics.observable_gauge(
        "telecine_checkpoint_refused", "1 if the ledger is not what was signed, else 0", refused
    )
