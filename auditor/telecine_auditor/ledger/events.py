"""Typed events of the ledger, as msgspec structs: fields in the order in which credits writes them.

The order matters: the parser encodes an event again and compares the bytes with those it was decoded from.
`tests/unit/auditor/ledger/test_event_parser.py` compares the structs with the models of the contract.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = [
    "MAX_CREDITS",
    "AccountClosed",
    "AccountReopened",
    "Balances",
    "CreditsAdjusted",
    "CreditsDebited",
    "CreditsDenied",
    "CreditsExpired",
    "CreditsGranted",
    "CreditsRefunded",
    "CreditsSettled",
    "LedgerEvent",
    "LimitReached",
    "MessageSkipped",
    "Posting",
    "Price",
    "SpendLimitsSet",
]

MAX_CREDITS = 2**53 - 1
"""Largest amount and balance: every JSON reader represents it exactly."""

Credits = Annotated[int, Meta(ge=0, le=MAX_CREDITS)]
Positive = Annotated[int, Meta(ge=1, le=MAX_CREDITS)]
Signed = Annotated[int, Meta(ge=-MAX_CREDITS, le=MAX_CREDITS)]
Time = Annotated[datetime, Meta(tz=True)]


class Posting(Struct, gc=False):
    """`amount` credits of `grant` onto one side of the ledger (negative: off it).

    `grant` is 0 in entries from before 0.2, which do not name it.
    """

    account: str
    amount: Signed
    grant: Positive


class Balances(Struct, gc=False):
    """What the account has after the entry, as the entry states it."""

    available: int
    held: int


class Price(Struct, gc=False, omit_defaults=True):
    """The price that the request froze, and the inputs that it was computed from."""

    credits: int
    table: str
    resolution: str
    duration: int
    model: str | None = None
    audio: bool | None = None
    input_video: bool | None = None
    tier: str | None = None
    by_seconds: tuple[tuple[int, int], ...] | None = None


class LimitReached(Struct, gc=False):
    """The spend limit that a denial names."""

    scope: Literal["account", "api_key"]
    per: Literal["day", "generation"]
    limit: Credits
    used: Credits


# gc=False: events have no reference cycles, and the collector need not track millions of them.
# omit_defaults=True: credits leaves out a field without a value.
class LedgerEvent(Struct, gc=False, omit_defaults=True):
    """The fields that all events of the ledger have."""

    account: str
    entry: Positive
    postings: list[Posting]
    balances: Balances
    decided_at: Time


class CreditsGranted(LedgerEvent, gc=False, omit_defaults=True):
    """issued → available."""

    amount: Positive
    kind: Literal["paid", "promotional", "plan"]
    reference: str
    reason: str
    expires_at: Time | None = None


class CreditsDebited(LedgerEvent, gc=False, omit_defaults=True):
    """available → held, for one generation."""

    generation: str
    amount: Positive
    price: Price
    api_key: str | None = None


class CreditsDenied(LedgerEvent, gc=False, omit_defaults=True):
    """A generation was not paid for."""

    generation: str
    reason: Literal["insufficient_credits", "generation_ended", "account_closed", "spend_limit"]
    needed: Credits
    available: Credits
    limit: LimitReached | None = None


class CreditsSettled(LedgerEvent, gc=False, omit_defaults=True):
    """held → spent; the rest of a hold for a length that the model chose: held → available."""

    generation: str
    amount: Positive
    seconds: int | None = None
    released: Positive | None = None
    usable_until: Time | None = None


class CreditsRefunded(LedgerEvent, gc=False, omit_defaults=True):
    """held → available."""

    generation: str
    amount: Positive
    reason: str
    usable_until: Time | None = None


class CreditsExpired(LedgerEvent, gc=False):
    """available → expired."""

    grant: int
    amount: Positive


class CreditsAdjusted(LedgerEvent, gc=False, omit_defaults=True):
    """Part or all of what an earlier entry moved goes back."""

    corrects: int
    amount: Positive
    reference: str
    reason: str
    usable_until: Time | None = None


class AccountClosed(LedgerEvent, gc=False):
    """No charges and grants from now on."""

    reason: str


class AccountReopened(LedgerEvent, gc=False):
    """Charges and grants are possible again."""

    reason: str


class SpendLimitsSet(LedgerEvent, gc=False, omit_defaults=True):
    """Spend limits of the account, or of one API key of it."""

    api_key: str | None = None
    per_day: Credits | None = None
    per_generation: Credits | None = None


class MessageSkipped(LedgerEvent, gc=False):
    """A message on the account's ledger that is not an event has no meaning."""

    skips: int
    sha256: str
    reason: str
