"""Why a generation was not paid for, in words for the user. Pure."""

from telecine_contracts.credits import CreditsDenied, DenialReason, LimitPeriod, LimitReached, LimitScope

__all__ = ["in_words"]


def in_words(denied: CreditsDenied) -> str:
    """One sentence; amounts are credits."""
    match denied.reason, denied.limit:
        case DenialReason.ACCOUNT_CLOSED, _:
            return "The account is closed"
        case DenialReason.SPEND_LIMIT, LimitReached() as limit:
            return f"Spend limit reached: {denied.needed} credits needed, {_bound(limit)}"
        case _:
            return f"Insufficient credits: {denied.needed} needed, {denied.available} available"


def _bound(limit: LimitReached) -> str:
    whose = "this API key" if limit.scope is LimitScope.API_KEY else "the account"
    if limit.per is LimitPeriod.GENERATION:
        return f"{whose} may spend {limit.limit} for one generation"
    return f"{whose} may spend {limit.limit} a day (UTC) and has spent {limit.used}"
