"""Why a generation was not paid for: as an answer's status and body, and in words. Pure."""

from collections.abc import Mapping
from typing import Any

from telecine_contracts.credits import DenialReason, LimitPeriod, LimitScope
from telecine_gateway.read_model.tables import Charge

__all__ = ["denial_response", "describe_denial"]

INSUFFICIENT = "Insufficient credits"
CLOSED = "The account is closed"
ENDED = "The generation was cancelled before it was paid for"
_WHOSE = {LimitScope.ACCOUNT: "the account", LimitScope.API_KEY: "this API key"}


def denial_response(charge: Charge) -> tuple[int, dict[str, Any]]:
    """The status and body for the request that was denied."""
    prices = {"creditsNeeded": charge.amount, "remainingCredits": charge.available}
    match charge.reason:
        case DenialReason.GENERATION_ENDED:
            return 409, {"error": ENDED, "id": charge.generation}
        case DenialReason.ACCOUNT_CLOSED:
            return 403, {"error": CLOSED}
        case DenialReason.SPEND_LIMIT:
            limit = {"limit": charge.limit} if charge.limit else {}
            return 402, {"error": describe_denial(charge, day="today"), **prices, **limit}
        case _:
            return 402, {"error": INSUFFICIENT, **prices}


def describe_denial(charge: Charge, *, day: str = "that day") -> str:
    """Why a charge was denied; `day` is what the day of the decision is called by now."""
    match charge.reason:
        case DenialReason.GENERATION_ENDED:
            return ENDED
        case DenialReason.ACCOUNT_CLOSED:
            return CLOSED
        case DenialReason.SPEND_LIMIT:
            return f"Spend limit reached{_limit(charge.limit, charge.amount, day) if charge.limit else ''}"
        case _:
            return INSUFFICIENT


def _limit(limit: Mapping[str, Any], needed: int, day: str) -> str:
    whose = _WHOSE.get(limit["scope"], "the account")
    if limit["per"] == LimitPeriod.DAY:
        return f": {limit['limit']} credits a day for {whose}, {limit['used']} used {day}"
    return f": {limit['limit']} credits a generation for {whose}, this one costs {needed}"
