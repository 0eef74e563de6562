"""Entries of an account's ledger as statements show them, and the period of a statement. Pure.

An entry counts at the time at which it was decided, but never before the entry before it. Consecutive periods
therefore share a balance, and opening balance plus changes always equals the closing balance. Denied requests are left
out: they change no balance.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telecine_contracts.credits import LedgerEvent

from .timeline import public_data

__all__ = [
    "ZERO_BALANCE",
    "Period",
    "RunningBalance",
    "Statement",
    "StatementLine",
    "replace_nul",
    "statement_line",
]


@dataclass(frozen=True, slots=True)
class RunningBalance:
    """The account's balance after its entry number `entry`, in credits."""

    entry: int
    available: int
    held: int


ZERO_BALANCE = RunningBalance(0, 0, 0)
"""The balance before the first entry."""


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One entry. `amount` and `held_amount` are the changes of available and held; `data` has its other fields."""

    entry: int
    at: datetime
    action: str
    amount: int
    held_amount: int
    available: int
    held: int
    generation: str | None
    reference: str | None
    reason: str | None
    data: dict[str, Any]

    @property
    def after(self) -> RunningBalance:
        """The balance after this entry."""
        return RunningBalance(self.entry, self.available, self.held)

    @property
    def related_entry(self) -> int | None:
        """Number of the entry that this one refers to: the corrected entry, or the grant that expired."""
        number: int | None = self.data.get("corrects", self.data.get("grant"))
        return number


@dataclass(frozen=True, slots=True)
class Period:
    """The half-open interval [`since`, `until`); None: from the first entry, or up to now."""

    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Statement:
    """An account's opening and closing balance in a period."""

    account: str
    period: Period
    opening: RunningBalance
    closing: RunningBalance


def statement_line(event: LedgerEvent, at: datetime) -> StatementLine:
    """The statement line of an entry that counts at `at`."""
    amount, held_amount = _balance_changes(event)
    fields = vars(event)
    return StatementLine(
        entry=event.entry,
        at=at,
        action=event.action,
        amount=amount,
        held_amount=held_amount,
        available=event.balances.available,
        held=event.balances.held,
        generation=fields.get("generation"),
        reference=_text(fields.get("reference")),
        reason=_text(fields.get("reason")),
        data=public_data(event),
    )


def replace_nul(text: str) -> str:
    """`text` with U+FFFD for NUL, the one character that Postgres refuses in a text."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _balance_changes(event: LedgerEvent) -> tuple[int, int]:
    available, held = f"{event.account}:available", f"{event.account}:held"
    amount = held_amount = 0
    for posting in event.postings:
        if posting.account == available:
            amount += posting.amount
        elif posting.account == held:
            held_amount += posting.amount
    return amount, held_amount


def _text(value: str | None) -> str | None:
    return replace_nul(str(value)) if value else None
