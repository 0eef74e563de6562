"""Breaches: every kind that an audit can find, and the list of those that it found."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["BREACHES", "Breach", "BreachKind", "BreachList"]


class BreachKind(StrEnum):
    """Kinds of breaches; BREACHES describes them."""

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
    FOREIGN_SOURCE = "foreign-source"
    WRONG_TIME = "wrong-time"
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
    TWO_ACCOUNTS = "two-accounts"
    # accounts
    CHARGED_WHILE_CLOSED = "charged-while-closed"
    WRONG_CLOSING = "wrong-closing"
    WRONG_SKIP = "wrong-skip"
    LIMIT_PASSED = "limit-passed"
    WRONG_ADJUSTMENT = "wrong-adjustment"
    # the stream as a whole
    SEQUENCE_GAP = "sequence-gap"
    TRUNCATED = "truncated"
    CHECKPOINT_MISMATCH = "checkpoint-mismatch"
    CHECKPOINT_FORGED = "checkpoint-forged"
    CHECKPOINT_MISSING = "checkpoint-missing"
    UNSIGNED_TOO_LONG = "unsigned-too-long"
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
    # objects
    OBJECT_MISSING = "object-missing"
    OBJECT_DIFFERS = "object-differs"


BREACHES = {
    BreachKind.UNREADABLE: "the message is not an event: a header or a field is missing or has the wrong type",
    BreachKind.UNKNOWN_EVENT: "the ledger has no event of this type",
    BreachKind.WRONG_SUBJECT: "subject, headers and body name different events or accounts",
    BreachKind.SUM_NOT_ZERO: "the postings, or those of one grant, do not sum to zero",
    BreachKind.WRONG_POSTINGS: "the postings are wrong for an entry of this type, or do not match its amount",
    BreachKind.ENTRY_GAP: "entries of the account are missing before this one",
    BreachKind.OUT_OF_ORDER: "the number of the entry does not follow that of the entry before it in its account",
    BreachKind.REPEATED_ID: "the id of the event was used before",
    BreachKind.FOREIGN_SOURCE: "the entry names another writer than the credits service",
    BreachKind.WRONG_TIME: "the time of the decision contradicts that of storage, or earlier entries of its account",
    BreachKind.NEGATIVE_BALANCE: "the account was charged more than it had available",
    BreachKind.WRONG_BALANCE: "the stated balances differ from those computed from the postings",
    BreachKind.REFERENCE_USED_TWICE: "the reference of a payment or ticket was used twice",
    BreachKind.GRANT_UNKNOWN: "the entry takes credits from a grant that does not exist",
    BreachKind.GRANT_OVERDRAWN: "the entry takes more credits from a grant than it had available",
    BreachKind.GRANT_ORDER: "the burn order requires other grants to pay",
    BreachKind.GRANT_EXPIRED: "an expired grant paid",
    BreachKind.GRANT_NOT_NAMED: "the entry does not name the grants that it moves, although earlier entries do",
    BreachKind.EXPIRED_EARLY: "credits expired too early",
    BreachKind.EXPIRY_OVERDUE: "credits are still available long after they should have expired",
    BreachKind.WRONG_PRICE: "the debit differs from the frozen price, or the frozen price differs from its price table",
    BreachKind.DEBITED_TWICE: "a generation was charged twice, or after it was denied",
    BreachKind.ENDED_TWICE: "a debit was settled twice, or refunded twice",
    BreachKind.SETTLED_AND_REFUNDED: "a debit was both settled and refunded",
    BreachKind.END_WITHOUT_DEBIT: "a generation was settled or refunded without a debit",
    BreachKind.WRONG_REFUND: "a refund does not return what the debit took, in the way the rules require",
    BreachKind.WRONG_SETTLEMENT: "a settlement does not match what the debit took",
    BreachKind.WRONG_DENIAL: "the reason or the figures of a denial are wrong",
    BreachKind.DEBIT_WITHOUT_END: "credits are held for longer than the limit",
    BreachKind.TWO_ACCOUNTS: "a generation was charged to two accounts, or denied to one and charged to another",
    BreachKind.WRONG_CLOSING: "a closed account was closed, or an open account was reopened",
    BreachKind.WRONG_SKIP: "a decision skips an entry, a message of another account, or a message with another body",
    BreachKind.CHARGED_WHILE_CLOSED: "a closed account was charged, or received a grant",
    BreachKind.LIMIT_PASSED: "a debit exceeded a spend limit",
    BreachKind.WRONG_ADJUSTMENT: "an adjustment corrects the wrong entry, too many credits, or the wrong grants",
    BreachKind.SEQUENCE_GAP: "messages of the stream are missing",
    BreachKind.TRUNCATED: "the stream has fewer entries than a signed checkpoint covers",
    BreachKind.CHECKPOINT_MISMATCH: "the entries differ from those that a signed checkpoint covers",
    BreachKind.CHECKPOINT_FORGED: "a checkpoint is not signed by a trusted key",
    BreachKind.CHECKPOINT_MISSING: "a published signed checkpoint is missing, or there are none",
    BreachKind.UNSIGNED_TOO_LONG: "entries without a signed checkpoint are older or more than allowed",
    BreachKind.MIRROR_CHANGED: "a file of the mirror was changed after it was written",
    BreachKind.STREAM_CHANGED: "the stream no longer holds what was mirrored from it",
    BreachKind.COMPLETED_NOT_SETTLED: "a video was delivered and is not settled",
    BreachKind.SETTLED_NOT_COMPLETED: "a generation was settled and no video was delivered",
    BreachKind.FAILED_NOT_REFUNDED: "a generation failed or was cancelled and is not refunded",
    BreachKind.REFUNDED_NOT_FAILED: "a generation was refunded and has neither failed nor been cancelled",
    BreachKind.NOT_ASKED_FOR: "a generation was charged without a request",
    BreachKind.PRICE_NOT_AS_ASKED: "a generation was charged at another price than the request froze",
    BreachKind.WRONG_ACCOUNT: "a generation was charged to another account than requested it",
    BreachKind.TWO_ENDS: "VIDEO has two outcomes of one generation",
    BreachKind.DATABASE_DIFFERS: "a row of the database differs from what the streams produce",
    BreachKind.OBJECT_MISSING: "the object of a stored video is not in the bucket",
    BreachKind.OBJECT_DIFFERS: "the object of a stored video has another size or hash than was stored",
}
"""Description of each kind."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One breach: its kind, its place, and a message with the figures."""

    kind: BreachKind
    message: str
    stream: str = "LEDGER"
    sequence: int | None = None
    account: str | None = None
    generation: str | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON form; unknown fields are left out."""
        fields = {
            "kind": self.kind.value,
            "stream": self.stream,
            "sequence": self.sequence,
            "account": self.account,
            "generation": self.generation,
            "says": self.message,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def __str__(self) -> str:
        place = f"{self.stream}#{self.sequence}" if self.sequence is not None else self.stream
        about = " ".join(part for part in (self.account, self.generation) if part)
        return f"{place}  {self.kind.value}  {about}{': ' if about else ''}{self.message}"


_FOREIGN = {BreachKind.UNREADABLE, BreachKind.UNKNOWN_EVENT, BreachKind.WRONG_SUBJECT}


@dataclass
class BreachList:
    """Collects breaches: counts all, keeps the first `most`."""

    most: int
    count: int = 0
    kinds: Counter[BreachKind] = field(default_factory=Counter)
    kept: list[Breach] = field(default_factory=list)
    _foreign: dict[int, BreachKind] = field(default_factory=dict)

    def __call__(self, breach: Breach) -> None:
        self.count += 1
        self.kinds[breach.kind] += 1
        if _is_foreign(breach) and breach.sequence is not None:
            self._foreign[breach.sequence] = breach.kind
        if len(self.kept) < self.most:
            self.kept.append(breach)

    def excuse(self, skipped: Collection[int]) -> None:
        """Remove the breaches of LEDGER messages that a decision skips."""
        for sequence in [sequence for sequence in self._foreign if sequence in skipped]:
            kind = self._foreign.pop(sequence)
            self.count -= 1
            self.kinds[kind] -= 1
        self.kept = [one for one in self.kept if not (_is_foreign(one) and one.sequence in skipped)]
        self.kinds = +self.kinds


def _is_foreign(breach: Breach) -> bool:
    """Whether the breach is a message on LEDGER that is not an entry."""
    return breach.stream == "LEDGER" and breach.kind in _FOREIGN
