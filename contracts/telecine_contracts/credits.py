"""The LEDGER stream: every movement of credits, written by the credits service only.

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
    Field(
        description="Grants that credits returned to do not expire before; absent: their expiry is unchanged"
    ),
]


class Posting(BaseModel):
    """One posting of a movement: `amount` credits onto `account` (negative: off it), never 0.

    `account` is ``issued``, ``spent``, ``expired``, ``<account>:available`` or ``<account>:held``. Every posting names
    the grant whose credits it moves; the postings of each grant sum to zero.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    account: Annotated[str, Field(description="The side of the ledger that this posting changes")]
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
    """Balances of an account after an entry, in credits."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    available: Annotated[Balance, Field(description="Free to spend, in credits")]
    held: Annotated[Balance, Field(description="Reserved for running generations, in credits")]


class LedgerEvent(Event):
    """Base of all ledger events."""

    stream: ClassVar[str] = "LEDGER"
    written_by: ClassVar[str] = "credits"

    account: Account
    entry: Annotated[int, Field(ge=1, description="Number of this entry within its account, without gaps")]
    postings: Annotated[
        tuple[Posting, ...], Field(description="The postings of the movement; they sum to zero")
    ]
    balances: Annotated[Balances, Field(description="Balances of the account after this entry")]
    decided_at: Annotated[
        datetime | None,
        Field(
            description="When it was decided: expiry and limits are evaluated at this time; absent before 0.2"
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
    """Origin of granted credits."""

    PAID = "paid"
    PROMOTIONAL = "promotional"
    PLAN = "plan"


class CreditsGranted(LedgerEvent):
    """Credits were granted to an account: issued → available.

    The entry's number identifies the grant. Debits take from the grant that expires first; of grants that expire
    together (or never) promotional before plan before paid, then the oldest.
    """

    type: ClassVar[str] = "credits.granted.v1"
    action: ClassVar[str] = "granted"

    amount: Annotated[Amount, Field(description="Credits granted")]
    kind: Annotated[GrantKind, Field(description="Origin of the credits")]
    reference: Annotated[
        str, Field(description="Unique within the account, e.g. a payment id: a reference grants once")
    ]
    reason: Annotated[str, Field(description="A note for the statement")]
    expires_at: Annotated[
        datetime | None, Field(description="When the rest of the grant expires; absent: never")
    ] = None


class CreditsDebited(LedgerEvent):
    """Credits were reserved for one generation: available → held. The generation may now be submitted."""

    type: ClassVar[str] = "credits.debited.v1"
    action: ClassVar[str] = "debited"

    generation: Generation
    amount: Annotated[Amount, Field(description="Credits reserved")]
    price: Annotated[Price, Field(description="The price frozen in the request")]
    api_key: Annotated[
        str | None, Field(description="Id of the API key of the request, whose spend limits apply")
    ] = None


class DenialReason(StrEnum):
    """Why a generation was not paid for."""

    INSUFFICIENT_CREDITS = "insufficient_credits"
    GENERATION_ENDED = "generation_ended"
    ACCOUNT_CLOSED = "account_closed"
    SPEND_LIMIT = "spend_limit"


class LimitScope(StrEnum):
    """What a spend limit applies to."""

    ACCOUNT = "account"
    API_KEY = "api_key"


class LimitPeriod(StrEnum):
    """Period of a spend limit. A day is a day in UTC."""

    DAY = "day"
    GENERATION = "generation"


class LimitReached(BaseModel):
    """The spend limit that a debit would have exceeded. Refunded credits do not count as used."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    scope: Annotated[LimitScope, Field(description="What the limit applies to")]
    per: Annotated[LimitPeriod, Field(description="Period of the limit")]
    limit: Annotated[Balance, Field(description="The limit, in credits")]
    used: Annotated[
        Balance, Field(description="Credits debited in the period so far, without this generation")
    ]


class CreditsDenied(LedgerEvent):
    """A generation was not paid for and never will be. Moves no credits: no postings.

    `needed` and `available` are in credits, at the time of the decision. Version 2 has more reasons.
    """

    type: ClassVar[str] = "credits.denied.v2"
    action: ClassVar[str] = "denied"

    generation: Generation
    reason: Annotated[DenialReason, Field(description="Why it was not paid for")]
    needed: Annotated[Balance, Field(description="Credits that the generation costs")]
    available: Annotated[Balance, Field(description="Credits that the account could spend")]
    limit: Annotated[
        LimitReached | None, Field(description="The limit that was reached, if that is the reason")
    ] = None


class CreditsSettled(LedgerEvent):
    """The video was delivered: held → spent.

    Where the model chose the length (`by_seconds` of the debit's price), the credits of the actual length are spent and
    the rest of the hold is released: held → available, to the grants that were allocated last. As after a refund, those
    grants can be spent until `usable_until` at least.
    """

    type: ClassVar[str] = "credits.settled.v1"
    action: ClassVar[str] = "settled"

    generation: Generation
    amount: Annotated[Amount, Field(description="Credits spent")]
    seconds: Annotated[
        int | None, Field(description="The length that is paid for, where the model chose it and it is known")
    ] = None
    released: Annotated[Amount | None, Field(description="Credits of the hold that were not needed")] = None
    usable_until: UsableUntil = None


class CreditsRefunded(LedgerEvent):
    """The generation ended without a video: held → available, in full and once, to the grants that paid.

    If a grant has expired meanwhile, or expires soon, all it has available can be spent until `usable_until`; the rest
    expires then.
    """

    type: ClassVar[str] = "credits.refunded.v1"
    action: ClassVar[str] = "refunded"

    generation: Generation
    amount: Annotated[Amount, Field(description="Credits returned")]
    reason: Annotated[str, Field(description="The failure code of the generation, or 'cancelled'")]
    usable_until: UsableUntil = None


class CreditsExpired(LedgerEvent):
    """The available rest of a grant expired: available → expired. Held credits stay held."""

    type: ClassVar[str] = "credits.expired.v1"
    action: ClassVar[str] = "expired"

    grant: Annotated[int, Field(ge=1, description="Number of the entry that granted the credits")]
    amount: Annotated[Amount, Field(description="Credits that expired")]


class CreditsAdjusted(LedgerEvent):
    """An operator corrected an earlier entry: all or part of what it moved is moved back.

    Credits of a grant are taken back as far as they are available (available → issued). Credits of a settlement
    (spent → available) and of an expiry (expired → available) return to their grants, those allocated last first. The
    adjustments of an entry never exceed what it moved. Returned credits can be spent until `usable_until` at least.
    """

    type: ClassVar[str] = "credits.adjusted.v1"
    action: ClassVar[str] = "adjusted"

    corrects: Annotated[int, Field(ge=1, description="Number of the entry that this one corrects")]
    amount: Annotated[Amount, Field(description="Credits moved back")]
    reference: Annotated[
        str, Field(description="Unique within the account, e.g. a ticket: a reference adjusts once")
    ]
    reason: Annotated[str, Field(description="A note for the statement")]
    usable_until: UsableUntil = None


class AccountClosed(LedgerEvent):
    """The account takes neither debits nor grants. Moves no credits.

    Running generations are still settled or refunded, grants still expire, and entries may still be adjusted.
    """

    type: ClassVar[str] = "account.closed.v1"
    action: ClassVar[str] = "closed"

    reason: Annotated[str, Field(description="A note for the statement")]


class AccountReopened(LedgerEvent):
    """The account takes debits and grants again. Moves no credits."""

    type: ClassVar[str] = "account.reopened.v1"
    action: ClassVar[str] = "reopened"

    reason: Annotated[str, Field(description="A note for the statement")]


class SpendLimitsSet(LedgerEvent):
    """New spend limits of the account, or of one of its API keys. Moves no credits.

    Replaces the earlier limits of the same account or key; an absent limit means no limit.
    """

    type: ClassVar[str] = "account.limits_set.v1"
    action: ClassVar[str] = "limits_set"

    api_key: Annotated[
        str | None, Field(description="Id of the API key that is limited; absent: the whole account")
    ] = None
    per_day: Annotated[Balance | None, Field(description="Most credits per day (UTC)")] = None
    per_generation: Annotated[Balance | None, Field(description="Most credits per generation")] = None


class MessageSkipped(LedgerEvent):
    """An operator decided to skip a message on the account's ledger that is not an event. Moves no credits.

    Until then no command of the account is carried out, since the meaning of the message is not known.
    """

    type: ClassVar[str] = "account.message_skipped.v1"
    action: ClassVar[str] = "skipped"

    skips: Annotated[int, Field(ge=1, description="Sequence of the message on LEDGER")]
    sha256: Annotated[str, Field(description="SHA-256 of the message's body, hexadecimal")]
    reason: Annotated[str, Field(description="Why it is skipped; for the auditor")]
