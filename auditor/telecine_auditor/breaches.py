"""What an audit can find: every kind of breach, and one that was found."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

__all__ = ["BREACHES", "Breach", "BreachKind", "BreachList"]


class BreachKind(StrEnum):
    """Everything that must not be, a name each; BREACHES tells what they mean."""

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
    BreachKind.UNREADABLE: "the entry is no event: a header or a field is missing, or not of the type that it must be",
    BreachKind.UNKNOWN_EVENT: "no event of the ledger has this type",
    BreachKind.WRONG_SUBJECT: "subject, header and body do not say the same event of the same account",
    BreachKind.SUM_NOT_ZERO: "the postings, or those of one grant, do not sum to zero",
    BreachKind.WRONG_POSTINGS: "the postings are not those of such an entry, or not of the amount that it states",
    BreachKind.ENTRY_GAP: "entries of the account are missing before this one",
    BreachKind.OUT_OF_ORDER: "the entry's number is not behind the one before it in its account",
    BreachKind.REPEATED_ID: "an event with this id was there before",
    BreachKind.FOREIGN_SOURCE: "the entry says that somebody else wrote it than the credits service",
    BreachKind.WRONG_TIME: "the entry was decided at another time than the server stored it, or than its account says",
    BreachKind.NEGATIVE_BALANCE: "more was taken from the account than it had",
    BreachKind.WRONG_BALANCE: "the balances that the entry states are not what the postings make",
    BreachKind.REFERENCE_USED_TWICE: "a payment or a ticket was entered twice",
    BreachKind.GRANT_UNKNOWN: "the entry takes from a grant that was never given",
    BreachKind.GRANT_OVERDRAWN: "the entry takes more from a grant than it had",
    BreachKind.GRANT_ORDER: "other grants had to pay by the order of taking",
    BreachKind.GRANT_EXPIRED: "a grant paid whose time was over",
    BreachKind.GRANT_NOT_NAMED: "the entry does not say whose credits it moves, though entries before it did",
    BreachKind.EXPIRED_EARLY: "credits expired before their time",
    BreachKind.EXPIRY_OVERDUE: "credits are still available long after their time was over",
    BreachKind.WRONG_PRICE: "the debit is not the frozen price, or that is not the price of its table",
    BreachKind.DEBITED_TWICE: "a generation was charged again, or after it was denied",
    BreachKind.ENDED_TWICE: "a debit was settled twice, or refunded twice",
    BreachKind.SETTLED_AND_REFUNDED: "a debit was both settled and refunded",
    BreachKind.END_WITHOUT_DEBIT: "something was settled or refunded that was never debited",
    BreachKind.WRONG_REFUND: "a refund is not what the debit took, given back as the rule says",
    BreachKind.WRONG_SETTLEMENT: "a settlement is not what the debit took",
    BreachKind.WRONG_DENIAL: "a denial gives a reason or figures that are not true",
    BreachKind.DEBIT_WITHOUT_END: "credits are held for longer than the limit",
    BreachKind.TWO_ACCOUNTS: "a generation was charged to two accounts, or denied to one and charged to another",
    BreachKind.WRONG_CLOSING: "an account was closed that was closed, or reopened that was open",
    BreachKind.WRONG_SKIP: "a decision skips a message that is an entry, or not of this account, or has another body",
    BreachKind.CHARGED_WHILE_CLOSED: "a closed account was charged or granted to",
    BreachKind.LIMIT_PASSED: "a debit passed a spend limit",
    BreachKind.WRONG_ADJUSTMENT: "a correction is not one: of something else, of too much, or not the way it came",
    BreachKind.SEQUENCE_GAP: "messages of the stream are missing",
    BreachKind.TRUNCATED: "the stream ends before what a signed checkpoint was signed over",
    BreachKind.CHECKPOINT_MISMATCH: "the entries are not those that a signed checkpoint was signed over",
    BreachKind.CHECKPOINT_FORGED: "a checkpoint was not signed by the key that is trusted",
    BreachKind.CHECKPOINT_MISSING: "a signed checkpoint that was published is not there any more, or none ever was",
    BreachKind.UNSIGNED_TOO_LONG: "entries have no signed checkpoint over them for longer, or are more, than allowed",
    BreachKind.MIRROR_CHANGED: "a file of the mirror was changed after it was written",
    BreachKind.STREAM_CHANGED: "the stream does not hold any more what was mirrored from it",
    BreachKind.COMPLETED_NOT_SETTLED: "a video was delivered and is not settled",
    BreachKind.SETTLED_NOT_COMPLETED: "a generation was settled and no video was delivered",
    BreachKind.FAILED_NOT_REFUNDED: "a generation failed or was cancelled and is not refunded",
    BreachKind.REFUNDED_NOT_FAILED: "a generation was refunded and has neither failed nor been cancelled",
    BreachKind.NOT_ASKED_FOR: "a generation was charged that nobody asked for",
    BreachKind.PRICE_NOT_AS_ASKED: "a generation was charged at another price than it was asked for at",
    BreachKind.WRONG_ACCOUNT: "a generation was charged to another account than asked for it",
    BreachKind.TWO_ENDS: "VIDEO has two ends of one generation",
    BreachKind.DATABASE_DIFFERS: "a row of a database is not what the streams make it",
    BreachKind.OBJECT_MISSING: "the object of a stored video is not in the bucket",
    BreachKind.OBJECT_DIFFERS: "the object of a stored video has another size or hash than was stored",
}
"""What each of them means, in a sentence."""


@dataclass(frozen=True, slots=True)
class Breach:
    """One breach: what kind, where, and in words that name the figures."""

    kind: BreachKind
    message: str
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
    """Breaches as they are found: all are counted, the first `most` are kept."""

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
        """Messages of LEDGER that a decision skips are no breaches."""
        for sequence in [sequence for sequence in self._foreign if sequence in skipped]:
            kind = self._foreign.pop(sequence)
            self.count -= 1
            self.kinds[kind] -= 1
        self.kept = [one for one in self.kept if not (_is_foreign(one) and one.sequence in skipped)]
        self.kinds = +self.kinds


def _is_foreign(breach: Breach) -> bool:
    """Whether a message on LEDGER was found that is not an entry."""
    return breach.stream == "LEDGER" and breach.kind in _FOREIGN
