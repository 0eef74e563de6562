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


class Posting(BaseModel):
    """One leg of a movement: `amount` credits onto `account` (negative: off it).

    `account` is ``issued``, ``spent``, ``expired``, ``<account>:available`` or ``<account>:held``.
    """

    model_config = ConfigDict(frozen=True)

    account: Annotated[str, Field(description="The side of the ledger that this leg changes")]
    amount: Annotated[
        int,
        Field(
            ge=-MAX_CREDITS, le=MAX_CREDITS, description="Credits put on (positive) or taken off (negative)"
        ),
    ]


class Balances(BaseModel):
    """What an account has after an entry, in credits: free to spend, and held for running generations."""

    model_config = ConfigDict(frozen=True)

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
    """Credits were given to an account: issued → available."""

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


class DenialReason(StrEnum):
    """Why a generation was not paid for."""

    INSUFFICIENT_CREDITS = "insufficient_credits"
    GENERATION_ENDED = "generation_ended"


class CreditsDenied(LedgerEvent):
    """A generation was not paid for and never will be. Moves nothing: no postings.

    `needed` and `available` are in credits, at the moment of the decision.
    """

    type: ClassVar[str] = "credits.denied.v1"
    action: ClassVar[str] = "denied"

    generation: Generation
    reason: Annotated[DenialReason, Field(description="Why it was not paid for")]
    needed: Annotated[Balance, Field(description="Credits that the generation costs")]
    available: Annotated[Balance, Field(description="Credits that the account had free")]


class CreditsSettled(LedgerEvent):
    """The video was delivered and is paid for: held → spent."""

    type: ClassVar[str] = "credits.settled.v1"
    action: ClassVar[str] = "settled"

    generation: Generation
    amount: Annotated[Amount, Field(description="Credits spent")]


class CreditsRefunded(LedgerEvent):
    """The generation ended without a video: held → available, all of it, once."""

    type: ClassVar[str] = "credits.refunded.v1"
    action: ClassVar[str] = "refunded"

    generation: Generation
    amount: Annotated[Amount, Field(description="Credits given back")]
    reason: Annotated[str, Field(description="The failure code of the generation, or 'cancelled'")]
