"""Status and body for a generation that was not paid for. Pure."""

from telecine_contracts import descriptions
from telecine_contracts.credits import DenialReason, LimitReached
from telecine_gateway.http.schemas import ErrorBody, ErrorCode
from telecine_gateway.read_model.charges import Charge

from .schemas import InsufficientCredits, LimitBody

__all__ = ["denial_response", "describe_denial"]


def denial_response(charge: Charge) -> tuple[int, ErrorBody | InsufficientCredits]:
    """The status and body for the request that was denied."""
    error = describe_denial(charge)
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


def describe_denial(charge: Charge) -> str:
    """Why the charge was denied, for the user."""
    limit = LimitReached.model_validate(charge.limit) if charge.limit else None
    return descriptions.describe_denial(charge.reason, charge.amount, limit)
