"""An account's statement, state and remaining grants, computed from its ledger alone. Pure.

The statement equals the gateway's: the same rule for the time of an entry, the same lines, the same CSV.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts.credits import CreditsGranted, LedgerEvent
from telecine_contracts.statement_csv import DENIED
from telecine_credits.rules.account import Account, evolve
from telecine_gateway.read_model.entries import ZERO_BALANCE, Period, Statement, StatementLine, statement_line

__all__ = ["GrantLine", "account_after", "grants_of", "statement_of"]


def statement_of(
    account: str, entries: Sequence[RecordedEvent], period: Period
) -> tuple[Statement, Sequence[StatementLine]]:
    """Opening balance, movements of the period and closing balance. Denials are left out: they move no credits."""
    lines = list(_lines(entries))
    before = [line for line in lines if period.since is not None and line.at < period.since]
    upto = [line for line in lines if period.until is None or line.at < period.until]
    opening = before[-1].after if before else ZERO_BALANCE
    closing = upto[-1].after if upto else ZERO_BALANCE
    shown = [line for line in upto[len(before) :] if line.action != DENIED]
    return Statement(account, period, opening, closing), shown


def _lines(entries: Iterable[RecordedEvent]) -> Iterable[StatementLine]:
    # An entry never counts before the one in front of it, even if a replica's clock was behind.
    last: datetime | None = None
    for recorded in entries:
        event = recorded.event
        assert isinstance(event, LedgerEvent)
        at = event.decided_at or recorded.envelope.time
        last = at if last is None else max(last, at)
        yield statement_line(event, last)


@dataclass(frozen=True, slots=True)
class GrantLine:
    """A grant and how much of it is left: `available` and `held` credits."""

    granted: CreditsGranted
    usable_until: datetime | None
    available: int
    held: int


def account_after(entries: Iterable[RecordedEvent]) -> Account:
    """The account after all of its entries, by the rules of the credits service."""
    account = Account()
    for recorded in entries:
        account = evolve(account, recorded.event)
    return account


def grants_of(account: Account, entries: Iterable[RecordedEvent]) -> list[GrantLine]:
    """The grants that have credits left, oldest first."""
    held: dict[int, int] = {}
    for hold in account.holds.values():
        for number, amount in hold.shares:
            held[number] = held.get(number, 0) + amount
    granted = [recorded.event for recorded in entries if isinstance(recorded.event, CreditsGranted)]
    lines = [
        GrantLine(event, state.usable_until, state.available, held.get(event.entry, 0))
        for event in granted
        if (state := account.grants.get(event.entry)) is not None
    ]
    return [line for line in lines if line.available or line.held]
