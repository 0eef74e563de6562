"""Commands of the ledger: those of the contracts, which come over request/reply, and those that events lead to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from telecine_contracts.commands import (
    AdjustCredits,
    CloseAccount,
    GrantCredits,
    ReopenAccount,
    SetSpendLimits,
)
from telecine_contracts.pricing import Price

__all__ = [
    "AdminCommand",
    "Command",
    "Debit",
    "Expire",
    "Refund",
    "Settle",
    "Skip",
    "TimedCommand",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Debit:
    """Reserve the price of a generation, or deny it. `api_key`: id of the API key of the request."""

    account: str
    generation: str
    price: Price
    api_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Spend the credits held for a generation: its video was delivered. `seconds`: its length, if it is known."""

    account: str
    generation: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Return the credits held for a generation: it ended without a video."""

    account: str
    generation: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """Expire what is available of a grant, if its time is over."""

    account: str
    grant: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Skip a message on the account's ledger that is not an event. `sha256`: digest of its body."""

    account: str
    sequence: int
    sha256: str
    reason: str


AdminCommand = GrantCredits | AdjustCredits | CloseAccount | ReopenAccount | SetSpendLimits
Command = AdminCommand | Debit | Settle | Refund | Expire | Skip


@dataclass(frozen=True, slots=True)
class TimedCommand:
    """A command and the time at which it is decided, for which expiry and limits are judged."""

    command: Command
    at: datetime
