"""The shapes of answers about credits, for the OpenAPI document. Routes send plain JSON; tests hold it to these."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["BalancesBody", "Credits", "OneLimit", "StatementPage"]

EntryType = Literal[
    "granted",
    "debited",
    "denied",
    "settled",
    "refunded",
    "expired",
    "adjusted",
    "closed",
    "reopened",
    "limits_set",
    "skipped",
]


class BalancesBody(BaseModel):
    """Credits: free to spend, and held for running generations."""

    available: int
    held: int


class StatementEntry(BaseModel):
    """One entry of the ledger. amount: what it did to the available credits; heldAmount: to the held ones."""

    entry: int
    type: EntryType
    amount: int
    heldAmount: int
    generation: str | None
    balances: BalancesBody
    reason: str | None
    reference: str | None
    time: Annotated[str, Field(description="When it was decided")]
    kind: Annotated[str | None, Field(description="Of a grant: paid, promotional or plan")] = None
    expiresAt: Annotated[str | None, Field(description="Of a grant; absent: never")] = None
    grant: Annotated[int | None, Field(description="Of an expiry: number of the grant's entry")] = None
    corrects: Annotated[int | None, Field(description="Of an adjustment: number of the entry")] = None
    apiKey: Annotated[str | None, Field(description="Key that asked, or that is bounded")] = None
    perDay: int | None = None
    perGeneration: int | None = None
    usableUntil: Annotated[str | None, Field(description="What came back expires not before")] = None


class StatementBody(BaseModel):
    """A page of entries, newest first. Without nextCursor it is the last one."""

    items: list[StatementEntry]
    nextCursor: str | None


class OneLimit(BaseModel):
    """Most credits a day of UTC, and for one generation; null does not bound."""

    perDay: int | None
    perGeneration: int | None


class OwnLimits(BaseModel):
    """What bounds the caller: the limits of its account, and of the key it calls with. null: none."""

    account: OneLimit | None
    apiKey: OneLimit | None


class NextExpiry(BaseModel):
    """The next credits to expire, as far as they are free to spend."""

    at: str
    amount: int


class Credits(BalancesBody):
    """An account's balance and its newest entries."""

    isClosed: Annotated[bool, Field(description="Nothing is charged to it or granted to it any more")]
    limits: OwnLimits
    nextExpiry: NextExpiry | None
    statement: StatementBody


class MarkBody(BalancesBody):
    """What the account has after an entry; number 0: before the first."""

    entry: int


class PeriodBody(BaseModel):
    """From then on, before then; null: from the first entry, up to now."""

    model_config = ConfigDict(populate_by_name=True)

    since: Annotated[str | None, Field(alias="from")]
    to: str | None


class PageMarks(BaseModel):
    """What the account had before the first entry of this page, and after the last."""

    opening: MarkBody
    closing: MarkBody


class StatementPage(BaseModel):
    """A page of a statement, oldest entry first. opening and closing are the whole period's."""

    account: str
    period: PeriodBody
    opening: MarkBody
    closing: MarkBody
    page: PageMarks
    items: list[StatementEntry]
    nextCursor: str | None
