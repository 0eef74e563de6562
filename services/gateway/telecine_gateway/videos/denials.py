"""Why a generation was not paid for: as an answer's status and body, and in words. Pure."""

from collections.abc import Mapping
from typing import Any

from telecine_contracts.credits import DenialReason, LimitPeriod, LimitScope
from telecine_gateway.http.schemas import ErrorBody, ErrorCode
from telecine_gateway.read_model.tables import Charge

from .schemas import InsufficientCredits, LimitBody

__all__ = ["denial_response", "describe_denial"]

INSUFFICIENT = "Insufficient credits"
CLOSED = "The account is closed"
ENDED = "The generation was cancelled before it was paid for"
_WHOSE = {LimitScope.ACCOUNT: "the account", LimitScope.API_KEY: "this API key"}


def denial_response(charge: Charge) -> tuple[int, ErrorBody | InsufficientCredits]:
    """The status and body for the request that was denied."""
    error = describe_denial(charge, day="today")
    match charge.reason:
        case DenialReason.GENERATION_ENDED:
            return 409, ErrorBody(error=error, code=ErrorCode.GENERATION_ENDED, id=charge.generation)
        case DenialReason.ACCOUNT_CLOSED:
            return 403, ErrorBody(error=error, code=ErrorCode.ACCOUNT_CLOSED)
        case DenialReason.SPEND_LIMIT:
            code = ErrorCode.SPEND_LIMIT
        case _:
            code = ErrorCode.INSUFFICIENT_CREDITS
    limit = {"limit": LimitBody.model_validate(charge.limit)} if charge.limit else {}
    return 402, InsufficientCredits(
        error=error, code=code, credits_needed=charge.amount, remaining_credits=charge.available, **limit
    )


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
