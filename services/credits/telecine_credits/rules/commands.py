"""What the ledger can be told to do, and how it refuses. `at`, in every command: when it is decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from telecine_contracts.commands import Refusal
from telecine_contracts.credits import GrantKind
from telecine_contracts.pricing import Price

__all__ = [
    "Adjust",
    "Close",
    "Command",
    "Debit",
    "Expire",
    "Grant",
    "LedgerRefused",
    "NotDebited",
    "Refund",
    "Reopen",
    "SetLimits",
    "Settle",
    "Skip",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Give credits to an account, once per reference."""

    account: str
    at: datetime
    amount: int
    kind: GrantKind
    reference: str
    reason: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Debit:
    """Reserve the price of a generation, or deny it: decided once. `api_key`: id of the key that asked."""

    account: str
    at: datetime
    generation: str
    price: Price
    api_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """The video was delivered."""

    account: str
    at: datetime
    generation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """The generation ended without a video."""

    account: str
    at: datetime
    generation: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """The time of a grant may be over."""

    account: str
    at: datetime
    grant: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust:
    """Correct an entry, once per reference."""

    account: str
    at: datetime
    corrects: int
    amount: int
    reference: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Charge nothing more to the account."""

    account: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopen:
    """Undo Close."""

    account: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLimits:
    """Bound the spending of the account, or of one API key."""

    account: str
    at: datetime
    api_key: str | None = None
    per_day: int | None = None
    per_generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """Pass over a message of the account's ledger that is not an event. `sha256`: of its body."""

    account: str
    at: datetime
    sequence: int
    sha256: str
    reason: str


Command = Grant | Debit | Settle | Refund | Expire | Adjust | Close | Reopen | SetLimits | Skip


class LedgerRefused(ValueError):
    """A command would break a rule. `refusal` says which kind of rule, `field` what it is about, the text the rest."""

    def __init__(self, refusal: Refusal, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.field = field


class NotDebited(ValueError):
    """A delivery of something that was never paid for: a broken invariant, for a person to look at."""
