"""The shapes of what administrators send and get, for the OpenAPI document. Routes send plain JSON."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from telecine_contracts import MAX_CREDITS
from telecine_contracts.subjects import TOKEN
from telecine_gateway.credits.schemas import BalancesBody, OneLimit
from telecine_gateway.documentation.json_schema import NAME, ONE_LINE

__all__ = [
    "AccountBody",
    "AdjustBody",
    "Adjusted",
    "Changed",
    "GrantBody",
    "Granted",
    "LimitsBody",
    "ReasonBody",
]

Amount = Annotated[int, Field(ge=1, le=MAX_CREDITS, description="Whole credits, as a JSON integer")]
Reference = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=NAME,
        description="Unique within the account, e.g. a payment id: the same one works once",
    ),
]
Reason = Annotated[
    str | None, Field(max_length=500, pattern=ONE_LINE, description="A note for the statement")
]
Limit = Annotated[int | None, Field(ge=0, le=MAX_CREDITS)]


class GrantBody(BaseModel):
    """Credits for an account. It comes into being with its first grant."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[str, Field(pattern=f"^{TOKEN.pattern}$", description="Who gets them")]
    amount: Amount
    reference: Reference
    kind: Annotated[Literal["paid", "promotional", "plan"] | None, Field(description="paid if absent")] = None
    reason: Reason = None
    expiresAt: Annotated[
        datetime | None, Field(description="When what is left of them expires, with its zone; absent: never")
    ] = None


class AdjustBody(BaseModel):
    """A correction: (part of) a grant is taken back, or of what was spent or has expired is given back."""

    model_config = ConfigDict(extra="forbid")

    account: Annotated[str, Field(pattern=f"^{TOKEN.pattern}$", description="Whose entry it is")]
    corrects: Annotated[
        int,
        Field(ge=1, le=MAX_CREDITS, description="Number of the entry: a grant, a settlement or an expiry"),
    ]
    amount: Amount
    reference: Reference
    reason: Reason = None


class ReasonBody(BaseModel):
    """Why; the body may be left out."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason = None


class LimitsBody(BaseModel):
    """All limits of the account, or of one key of it: one that is absent or null is lifted."""

    model_config = ConfigDict(extra="forbid")

    apiKey: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=64,
            pattern=NAME,
            description="Id of an API key; absent: the whole account",
        ),
    ] = None
    perDay: Annotated[Limit, Field(description="Most credits a day of UTC")] = None
    perGeneration: Annotated[Limit, Field(description="Most credits for one generation")] = None


class Granted(BaseModel):
    """A grant, new or made before. balances: what the account has now."""

    account: str
    entry: Annotated[int, Field(description="Number of the grant's entry, which names the grant")]
    amount: int
    reference: str
    kind: Literal["paid", "promotional", "plan"]
    expiresAt: str | None
    balances: BalancesBody


class Adjusted(BaseModel):
    """An adjustment, new or made before. balances: what the account has now."""

    account: str
    entry: int
    corrects: int
    amount: int
    reference: str
    balances: BalancesBody


class Changed(BaseModel):
    """The account is as was asked for."""

    account: str
    changed: Annotated[bool, Field(description="False: it was so before")]
    entry: Annotated[int | None, Field(description="Number of the entry that changed it")]
    balances: BalancesBody


class KeyLimit(OneLimit):
    """The limits of one API key."""

    apiKey: str


class Limits(BaseModel):
    """What bounds the account, and single keys of it."""

    account: OneLimit | None
    apiKeys: list[KeyLimit]


class GrantLine(BaseModel):
    """A grant. Where its credits are (the last five) is left out where it is not known exactly."""

    entry: int
    amount: int
    kind: Literal["paid", "promotional", "plan"]
    reference: str
    reason: str
    grantedAt: str
    expiresAt: Annotated[str | None, Field(description="As granted")]
    usableUntil: Annotated[str | None, Field(description="Later than expiresAt where credits came back")] = (
        None
    )
    available: int | None = None
    held: int | None = None
    spent: int | None = None
    expired: int | None = None
    takenBack: int | None = None


class GrantPage(BaseModel):
    """A page of grants, newest first. Without nextCursor it is the last one."""

    items: list[GrantLine]
    nextCursor: str | None


class AccountBody(BalancesBody):
    """An account as administrators see it."""

    account: str
    entry: Annotated[int, Field(description="Number of its last entry")]
    isClosed: bool
    limits: Limits
    grants: GrantPage
