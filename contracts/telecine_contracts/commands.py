"""Commands to the credits service over NATS request/reply, and its answer.

Commands are not events: nothing is stored. All of them may be sent again: each has a unique reference or sequence, or
asks for a state, which is then there already.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from .credits import Amount, Balance, Balances, GrantKind

_Account = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Reference = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""No control characters: references are printed in statements and accounting files."""
_Reason = Annotated[str, Field(max_length=500)]


class LedgerCommand(BaseModel):
    """Base of all commands to the ledger. Strict: an amount is an integer, never a string or a fraction."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    subject: ClassVar[str]
    """NATS subject on which the credits service takes the command; the reply is a LedgerAnswer."""

    account: _Account


class GrantCredits(LedgerCommand):
    """Give credits to an account. The same `reference` grants once, however often it is sent.

    Sent again with another amount, kind or expiry it is refused (`reference_conflict`).
    """

    subject: ClassVar[str] = "commands.credits.grant"

    amount: Annotated[Amount, Field(strict=True)]
    reference: _Reference
    reason: _Reason = ""
    kind: GrantKind = GrantKind.PAID
    expires_at: AwareDatetime | None = None


class AdjustCredits(LedgerCommand):
    """Take back (part of) a grant, or give back (part of) what was settled or expired: see CreditsAdjusted."""

    subject: ClassVar[str] = "commands.credits.adjust"

    corrects: Annotated[int, Field(strict=True, ge=1)]
    amount: Annotated[Amount, Field(strict=True)]
    reference: _Reference
    reason: _Reason = ""


class CloseAccount(LedgerCommand):
    """Close the account: no debits and no grants until it is reopened."""

    subject: ClassVar[str] = "commands.credits.close"

    reason: _Reason = ""


class ReopenAccount(LedgerCommand):
    """Undo CloseAccount."""

    subject: ClassVar[str] = "commands.credits.reopen"

    reason: _Reason = ""


class SetSpendLimits(LedgerCommand):
    """Limit what the account, or one API key of it, may spend. Absent limits are removed."""

    subject: ClassVar[str] = "commands.credits.limits"

    api_key: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    per_day: Annotated[Balance, Field(strict=True)] | None = None
    per_generation: Annotated[Balance, Field(strict=True)] | None = None


class SkipMessage(LedgerCommand):
    """Skip a message on the account's ledger that is not an event: see MessageSkipped.

    Refused for entries and for events of unknown types, which a newer version may have written, unless the type is
    `unknown_type`: the sender confirms that no version ever wrote it.
    """

    subject: ClassVar[str] = "commands.credits.skip"

    sequence: Annotated[int, Field(strict=True, ge=1)]
    reason: Annotated[_Reason, Field(min_length=1)]
    unknown_type: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Refusal(StrEnum):
    """Why a command to the ledger was refused: a closed list, safe to switch on."""

    INVALID = "invalid"
    REFERENCE_CONFLICT = "reference_conflict"
    ACCOUNT_CLOSED = "account_closed"
    BALANCE_TOO_LARGE = "balance_too_large"
    NOT_CORRECTABLE = "not_correctable"
    NOT_SKIPPABLE = "not_skippable"
    UNAVAILABLE = "unavailable"


class LedgerAnswer(BaseModel):
    """Result of a command to the ledger.

    `done`: this command wrote the entry; False if it had been carried out before. `entry` is the number of that entry
    in both cases. With a `refusal` nothing was done; `error` explains it and `field` names the field at fault.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    done: bool = False
    entry: int | None = None
    balances: Balances | None = None
    decided_at: datetime | None = None
    refusal: Refusal | None = None
    field: str | None = None
    error: str | None = None
