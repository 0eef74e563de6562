"""The LEDGER stream: every movement of credits. Written by the credits service alone.

Amounts are whole credits. Each event carries its double-entry postings (sum zero), the entry's number within its
account (1, 2, 3 …) and the account's balances after it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .message import MAX_CREDITS, Account, Event, Generation
from .pricing import Price

Amount = Annotated[int, Field(ge=1, le=MAX_CREDITS, description="Whole credits")]
Balance = Annotated[int, Field(ge=0, le=MAX_CREDITS, description="Whole credits")]

UsableUntil = Annotated[
    datetime | None,
    Field(description="Grants that got credits back do not expire before; absent: their own times stand"),
]


class Posting(BaseModel):
    """One leg of a movement: `amount` credits onto `account` (negative: off it), never 0.

    `account` is ``issued``, ``spent``, ``expired``, ``<account>:available`` or ``<account>:held``. Every leg says
    whose credits it moves: the legs of each `grant` sum to zero by themselves.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    account: Annotated[str, Field(description="The side of the ledger that this leg changes")]
    amount: Annotated[
        int,
        Field(
            ge=-MAX_CREDITS, le=MAX_CREDITS, description="Credits put on (positive) or taken off (negative)"
        ),
    ]
    grant: Annotated[
        int | None,
        Field(ge=1, description="Number of the entry that granted these credits; absent before 0.2"),
    ] = None


class Balances(BaseModel):
    """What an account has after an entry, in credits: free to spend, and held for running generations."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    available: Annotated[Balance, Field(description="Free to spend, in credits")]
    held: Annotated[Balance, Field(description="Reserved for running generations, in credits")]


class LedgerEvent(Event):
    """What all ledger events share."""

    stream: ClassVar[str] = "LEDGER"
    written_by: ClassVar[str] = "credits"

    account: Account
    entry: Annotated[int, Field(ge=1, description="Number of this entry within its account, without gaps")]
    postings: Annotated[tuple[Posting, ...], Field(description="The legs of the movement; they sum to zero")]
    balances: Annotated[Balances, Field(description="What the account has after this entry")]
    decided_at: Annotated[
        datetime | None,
        Field(
            description="When it was decided: expiry and limits were judged at this time; absent before 0.2"
        ),
    ] = None

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.account,)

    @model_validator(mode="after")
    def _sums_to_zero(self) -> Self:
        if sum(posting.amount for posting in self.postings) != 0:
            raise ValueError("postings must sum to zero")
        return self


class GrantKind(StrEnum):
    """Where granted credits came from."""

    PAID = "paid"
    PROMOTIONAL = "promotional"
    PLAN = "plan"


class CreditsGranted(LedgerEvent):
    """Credits were given to an account: issued → available.

    The entry's number names the grant from then on. A debit takes from the grant that expires first; of those that
    expire together (or never) promotional before plan before paid, then the oldest.
    """

    type: ClassVar[str] = "credits.granted.v1"
    action: ClassVar[str] = "granted"

    amount: Annotated[Amount, Field(description="Credits given")]
    kind: Annotated[GrantKind, Field(description="Where the credits came from")]
    reference: Annotated[
        str, Field(description="Unique within the account, e.g. a payment id: the same one grants once")
    ]
    reason: Annotated[str, Field(description="A note for the statement")]
    expires_at: Annotated[
        datetime | None, Field(description="When what is left of the grant expires; absent: never")
    ] = None


class CreditsDebited(LedgerEvent):
    """Credits were reserved for one generation: available → held. The generation may now be submitted."""

    type: ClassVar[str] = "credits.debited.v1"
    action: ClassVar[str] = "debited"

    generation: Generation
    amount: Annotated[Amount, Field(description="Credits reserved")]
    price: Annotated[Price, Field(description="The price as the request froze it")]
    api_key: Annotated[
        str | None, Field(description="Id of the API key that asked; its spend limits were judged")
    ] = None


class DenialReason(StrEnum):
    """Why a generation was not paid for."""

    INSUFFICIENT_CREDITS = "insufficient_credits"
    GENERATION_ENDED = "generation_ended"
    ACCOUNT_CLOSED = "account_closed"
    SPEND_LIMIT = "spend_limit"


class LimitScope(StrEnum):
    """Whose spending a limit bounds."""

    ACCOUNT = "account"
    API_KEY = "api_key"


class LimitPeriod(StrEnum):
    """What a limit counts over. A day is a day of UTC."""

    DAY = "day"
    GENERATION = "generation"


class LimitReached(BaseModel):
    """The spend limit that a debit would have passed. Credits that were refunded do not count as used."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    scope: Annotated[LimitScope, Field(description="Whose limit it is")]
    per: Annotated[LimitPeriod, Field(description="What it counts over")]
    limit: Annotated[Balance, Field(description="The limit, in credits")]
    used: Annotated[Balance, Field(description="Credits debited under it so far, without this generation")]


class CreditsDenied(LedgerEvent):
    """A generation was not paid for and never will be. Moves nothing: no postings.

    `needed` and `available` are in credits, at the moment of the decision. Version 2 knows more reasons.
    """

    type: ClassVar[str] = "credits.denied.v2"
    action: ClassVar[str] = "denied"

    generation: Generation
    reason: Annotated[DenialReason, Field(description="Why it was not paid for")]
    needed: Annotated[Balance, Field(description="Credits that the generation costs")]
    available: Annotated[Balance, Field(description="Credits that the account could have spent")]
    limit: Annotated[
        LimitReached | None, Field(description="The limit that was reached, if that is the reason")
    ] = None


class CreditsSettled(LedgerEvent):
    """The video was delivered and is paid for: held → spent."""

    type: ClassVar[str] = "credits.settled.v1"
    action: ClassVar[str] = "settled"

    generation: Generation
    amount: Annotated[Amount, Field(description="Credits spent")]


class CreditsRefunded(LedgerEvent):
    """The generation ended without a video: held → available, all of it, once, each part to the grant that paid.

    Credits whose grant expired meanwhile (or is about to) can be spent until `usable_until`, as is all that their
    grants have left then; what is left after that expires.
    """

    type: ClassVar[str] = "credits.refunded.v1"
    action: ClassVar[str] = "refunded"

    generation: Generation
    amount: Annotated[Amount, Field(description="Credits given back")]
    reason: Annotated[str, Field(description="The failure code of the generation, or 'cancelled'")]
    usable_until: UsableUntil = None


class CreditsExpired(LedgerEvent):
    """What was left available of one grant when its time was over: available → expired. Held credits stay held."""

    type: ClassVar[str] = "credits.expired.v1"
    action: ClassVar[str] = "expired"

    grant: Annotated[int, Field(ge=1, description="Number of the entry that granted them")]
    amount: Annotated[Amount, Field(description="Credits that expired")]


class CreditsAdjusted(LedgerEvent):
    """A person corrected an earlier entry: part or all of what it moved goes back the way it came.

    A grant is taken back as far as its credits are available (available → issued); a settlement (spent → available)
    and an expiry (expired → available) are given back to the grants they came from, those that were taken last
    first. Never more than the entry moved, all its adjustments together. What is given back can be spent until
    `usable_until` at least.
    """

    type: ClassVar[str] = "credits.adjusted.v1"
    action: ClassVar[str] = "adjusted"

    corrects: Annotated[int, Field(ge=1, description="Number of the entry that this one corrects")]
    amount: Annotated[Amount, Field(description="Credits that go back")]
    reference: Annotated[
        str, Field(description="Unique within the account, e.g. a ticket: the same one adjusts once")
    ]
    reason: Annotated[str, Field(description="A note for the statement")]
    usable_until: UsableUntil = None


class AccountClosed(LedgerEvent):
    """No generation is charged to the account and nothing is granted to it any more. Moves nothing.

    What runs is settled or refunded as ever, what expires expires, and entries may still be adjusted.
    """

    type: ClassVar[str] = "account.closed.v1"
    action: ClassVar[str] = "closed"

    reason: Annotated[str, Field(description="A note for the statement")]


class AccountReopened(LedgerEvent):
    """The account can be charged and granted to again. Moves nothing."""

    type: ClassVar[str] = "account.reopened.v1"
    action: ClassVar[str] = "reopened"

    reason: Annotated[str, Field(description="A note for the statement")]


class SpendLimitsSet(LedgerEvent):
    """From now on debits of the account, or of one API key of it, are bounded so. Moves nothing.

    Replaces the limits set before for the same; a limit that is absent does not bound.
    """

    type: ClassVar[str] = "account.limits_set.v1"
    action: ClassVar[str] = "limits_set"

    api_key: Annotated[
        str | None, Field(description="Id of the API key that is bounded; absent: the whole account")
    ] = None
    per_day: Annotated[Balance | None, Field(description="Most credits a day of UTC")] = None
    per_generation: Annotated[Balance | None, Field(description="Most credits for one generation")] = None


class MessageSkipped(LedgerEvent):
    """A person decided that a message on the account's ledger, which is not an event, means nothing. Moves nothing.

    Until then nothing is decided on the account, since it is not known what the message was meant to say.
    """

    type: ClassVar[str] = "account.message_skipped.v1"
    action: ClassVar[str] = "skipped"

    skips: Annotated[int, Field(ge=1, description="Sequence of the message on LEDGER")]
    sha256: Annotated[str, Field(description="SHA-256 of the message's body, in hexadecimal digits")]
    reason: Annotated[str, Field(description="Why it means nothing; for the auditor")]
