"""Requests that one service answers to another over NATS request/reply, and their answers.

Not events: nothing is stored. They are safe to send again, since each names what makes it unique, or asks for a
state that is then there already.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from .credits import Amount, Balance, Balances, GrantKind

GRANT_CREDITS = "commands.credits.grant"
"""Subject on which the credits service takes GrantCredits and answers with LedgerAnswer."""
ADJUST_CREDITS = "commands.credits.adjust"
"""Subject of AdjustCredits; answered with LedgerAnswer."""
CLOSE_ACCOUNT = "commands.credits.close"
"""Subject of CloseAccount; answered with LedgerAnswer."""
REOPEN_ACCOUNT = "commands.credits.reopen"
"""Subject of ReopenAccount; answered with LedgerAnswer."""
SET_SPEND_LIMITS = "commands.credits.limits"
"""Subject of SetSpendLimits; answered with LedgerAnswer."""

SKIP_MESSAGE = "commands.credits.skip"
"""Subject of SkipMessage; answered with LedgerAnswer."""

_Account = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Reference = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""No control characters: it stands in statements and bookkeepers' files."""
_Reason = Annotated[str, Field(max_length=500)]


class LedgerCommand(BaseModel):
    """What all commands to the ledger share. Strict: an amount is an integer, never a text or a fraction."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: _Account


class GrantCredits(LedgerCommand):
    """Give credits to an account. The same `reference` grants once, however often it is sent.

    Sent again with another amount, kind or expiry it is refused (`reference_conflict`).
    """

    amount: Annotated[Amount, Field(strict=True)]
    reference: _Reference
    reason: _Reason = ""
    kind: GrantKind = GrantKind.PAID
    expires_at: AwareDatetime | None = None


class AdjustCredits(LedgerCommand):
    """Take back (part of) a grant, or give back (part of) what was settled or expired: see CreditsAdjusted."""

    corrects: Annotated[int, Field(strict=True, ge=1)]
    amount: Annotated[Amount, Field(strict=True)]
    reference: _Reference
    reason: _Reason = ""


class CloseAccount(LedgerCommand):
    """Charge nothing to the account any more."""

    reason: _Reason = ""


class ReopenAccount(LedgerCommand):
    """Undo CloseAccount."""

    reason: _Reason = ""


class SetSpendLimits(LedgerCommand):
    """Bound what the account, or one API key of it, may spend. Absent limits are lifted."""

    api_key: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    per_day: Annotated[Balance, Field(strict=True)] | None = None
    per_generation: Annotated[Balance, Field(strict=True)] | None = None


class SkipMessage(LedgerCommand):
    """Record that a message on the account's ledger which is not an event means nothing: see MessageSkipped.

    Refused for a message that is an entry, or that may be an event of a newer version: one of a type that credits does
    not know, unless that is `unknown_type`, of which the sender knows that no version ever wrote it.
    """

    sequence: Annotated[int, Field(strict=True, ge=1)]
    reason: Annotated[_Reason, Field(min_length=1)]
    unknown_type: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Refusal(StrEnum):
    """Why a command to the ledger was not carried out: a closed list, safe to switch on."""

    INVALID = "invalid"
    REFERENCE_CONFLICT = "reference_conflict"
    ACCOUNT_CLOSED = "account_closed"
    BALANCE_TOO_LARGE = "balance_too_large"
    NOT_CORRECTABLE = "not_correctable"
    NOT_SKIPPABLE = "not_skippable"
    UNAVAILABLE = "unavailable"


class LedgerAnswer(BaseModel):
    """What became of a command to the ledger.

    `done`: this very command made the entry; False when it had been carried out before. `entry` is the number of
    that entry either way. With a `refusal` nothing was done, and `error` says why in words, `field` where.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    done: bool = False
    entry: int | None = None
    balances: Balances | None = None
    decided_at: datetime | None = None
    refusal: Refusal | None = None
    field: str | None = None
    error: str | None = None
