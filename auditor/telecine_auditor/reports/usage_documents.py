"""Parts of the JSON document of `reconcile`."""

from pydantic import ConfigDict
from typing_extensions import TypedDict

__all__ = ["Money", "PossibleTask", "UsageFinding", "UsageGroup", "UsageSums"]


class _Closed(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]


class UsageSums(_Closed):
    settled: int
    credits: int
    tokens: int
    unpaid: int
    rate: str | None


class UsageGroup(UsageSums):
    model: str | None
    resolution: str | None
    duration: int | None


class UsageFinding(_Closed):
    account: str
    generation: str
    task: str | None
    tokens: int | None
    outcome: str
    note: str


class PossibleTask(_Closed):
    account: str
    generation: str
    attempt: int
    safety_identifier: str | None
    seed: int | None
    begun_at: str
    closed_at: str
    how: str


class MoneyCause(_Closed):
    count: int
    amount: str


class Money(_Closed):
    """Amounts are decimal numbers as texts. `billed` and `revenue` are null without a bill or the value of a credit."""

    currency: str | None
    credits: int
    cost: str
    unpaid_cost: str
    billed: str | None
    revenue: str | None
    causes: dict[str, MoneyCause]
    differences: list[dict[str, str | int]]
    unexplained: int
