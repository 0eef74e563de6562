"""Requests that one service answers to another over NATS request/reply, and their answers.

Not events: nothing is stored. They are safe to send again, since each names what makes it unique.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from .credits import Amount, Balances, GrantKind

GRANT_CREDITS = "commands.credits.grant"
"""Subject on which the credits service takes GrantCredits and answers with GrantAnswer."""


class GrantCredits(BaseModel):
    """Give credits to an account. The same `reference` grants once, however often it is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    amount: Amount
    reference: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Annotated[str, Field(max_length=500)] = ""
    kind: GrantKind = GrantKind.PAID
    expires_at: datetime | None = None


class GrantAnswer(BaseModel):
    """The balances after the grant (`granted`: False when the reference had been granted before), or why not."""

    granted: bool = False
    balances: Balances | None = None
    error: str | None = None
