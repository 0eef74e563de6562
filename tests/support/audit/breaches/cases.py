"""Ledgers with one fault: what is clean, what comes behind the fault, and what the auditor says of the whole."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from tests.support.audit.breaches.planted_ledger import DAY, HOUR, LedgerBuilder
from tests.support.audit.random_histories import audit_entries

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.sources.message import StoredMessage

__all__ = [
    "Case",
    "Plant",
    "append_valid_entries",
    "audit",
    "clean_ledger",
    "debit_running_generation",
    "price",
    "timestamp_after",
]

Plant = Callable[[LedgerBuilder], None]


@dataclass(frozen=True)
class Case:
    """A fault, planted behind `clean`, and the breach that it is; `after`: how long after the end the books close."""

    kind: BreachKind
    name: str
    plant: Plant
    after: timedelta = HOUR
    at: int | None = None


def clean_ledger() -> LedgerBuilder:
    """Two accounts: ann with a promotional grant (2) before a paid one (1), bob with one."""
    ledger = LedgerBuilder()
    ledger.granted("ann", 500)
    ledger.granted("ann", 100, kind="promotional")
    ledger.granted("bob", 200, kind="plan")
    ledger.debited("ann", "g1", (2, 50))
    ledger.settled("ann", "g1", (2, 50))
    ledger.debited("ann", "g2", (2, 50), (1, 20))
    ledger.refunded("ann", "g2", (2, 50), (1, 20))
    ledger.debited("ann", "g3", (2, 40))
    ledger.debited("bob", "b1", (1, 50))
    return ledger


def append_valid_entries(ledger: LedgerBuilder) -> None:
    """What ran ends, and life goes on, in both accounts."""
    ledger.settled("ann", "g3", (2, 40))
    ledger.refunded("bob", "b1", (1, 50))
    ledger.debited("bob", "b2", (1, 120))
    ledger.settled("bob", "b2", (1, 120))
    ledger.denied("bob", "b3")


def audit(entries: list[StoredMessage], finish: timedelta = HOUR) -> list[Breach]:
    """What the books say; they are closed so much later than the last entry."""
    replay, found = audit_entries(entries)
    assert replay.last_at is not None
    replay.finish(replay.last_at + finish, hold_limit=DAY)
    return found


def price(
    credits: int, table: str = "2026-11", resolution: str = "720p", duration: int = 5
) -> dict[str, object]:
    return {"credits": credits, "table": table, "resolution": resolution, "duration": duration}


def timestamp_after(ledger: LedgerBuilder, after: timedelta) -> str:
    """A time so long after now."""
    return (ledger.now + after).isoformat()


def debit_running_generation(ledger: LedgerBuilder) -> None:
    ledger.debited("ann", "g4", (2, 10), (1, 60))
