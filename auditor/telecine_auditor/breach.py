"""What an audit can find: every kind of breach, and one that was found."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Breach", "BreachKind"]


class BreachKind(StrEnum):
    """Everything that must not be, a name each. The text of the member in BREACHES says what it means."""

    # one entry by itself
    UNREADABLE = "unreadable"
    UNKNOWN_EVENT = "unknown-event"
    WRONG_SUBJECT = "wrong-subject"
    SUM_NOT_ZERO = "sum-not-zero"
    WRONG_POSTINGS = "wrong-postings"
    # within its account
    ENTRY_GAP = "entry-gap"
    OUT_OF_ORDER = "out-of-order"
    REPEATED_ID = "repeated-id"
    NEGATIVE_BALANCE = "negative-balance"
    WRONG_BALANCE = "wrong-balance"
    # grants
    REFERENCE_USED_TWICE = "reference-used-twice"
    GRANT_UNKNOWN = "grant-unknown"
    GRANT_OVERDRAWN = "grant-overdrawn"
    GRANT_ORDER = "grant-order"
    GRANT_EXPIRED = "grant-expired"
    GRANT_NOT_NAMED = "grant-not-named"
    EXPIRED_EARLY = "expired-early"
    EXPIRY_OVERDUE = "expiry-overdue"
    # generations
    WRONG_PRICE = "wrong-price"
    DEBITED_TWICE = "debited-twice"
    ENDED_TWICE = "ended-twice"
    SETTLED_AND_REFUNDED = "settled-and-refunded"
    END_WITHOUT_DEBIT = "end-without-debit"
    WRONG_REFUND = "wrong-refund"
    WRONG_SETTLEMENT = "wrong-settlement"
    WRONG_DENIAL = "wrong-denial"
    DEBIT_WITHOUT_END = "debit-without-end"
    # accounts
    CHARGED_WHILE_CLOSED = "charged-while-closed"
    LIMIT_PASSED = "limit-passed"
    WRONG_ADJUSTMENT = "wrong-adjustment"
    # the stream as a whole
    SEQUENCE_GAP = "sequence-gap"
    TRUNCATED = "truncated"
    CHECKPOINT_MISMATCH = "checkpoint-mismatch"
    CHECKPOINT_FORGED = "checkpoint-forged"
    MIRROR_CHANGED = "mirror-changed"
    STREAM_CHANGED = "stream-changed"
    # with VIDEO
    COMPLETED_NOT_SETTLED = "completed-not-settled"
    SETTLED_NOT_COMPLETED = "settled-not-completed"
    FAILED_NOT_REFUNDED = "failed-not-refunded"
    REFUNDED_NOT_FAILED = "refunded-not-failed"
    NOT_ASKED_FOR = "not-asked-for"
    PRICE_NOT_AS_ASKED = "price-not-as-asked"
    WRONG_ACCOUNT = "wrong-account"
    TWO_ENDS = "two-ends"
    # projections
    DATABASE_DIFFERS = "database-differs"


@dataclass(frozen=True, slots=True)
class Breach:
    """One breach: what kind, where, and in words that name the figures."""

    kind: BreachKind
    says: str
    stream: str = "LEDGER"
    sequence: int | None = None
    account: str | None = None
    generation: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For machines; what is not known is left out."""
        fields = {
            "kind": self.kind.value,
            "stream": self.stream,
            "sequence": self.sequence,
            "account": self.account,
            "generation": self.generation,
            "says": self.says,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def __str__(self) -> str:
        place = f"{self.stream}#{self.sequence}" if self.sequence is not None else self.stream
        about = " ".join(part for part in (self.account, self.generation) if part)
        return f"{place}  {self.kind.value}  {about}{': ' if about else ''}{self.says}"
