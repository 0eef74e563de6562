"""What clients are told of rate limits: draft-ietf-httpapi-ratelimit-headers-11, and the 429 of the API.

Headers are lists of Structured Fields (RFC 9651): `"account";q=1000;w=60` and `"account";r=12;t=1`.
"""

from collections.abc import Sequence

from telecine_gateway.http.errors import ApiError
from telecine_gateway.http.schemas import ErrorCode

from .rules import Use

__all__ = ["QUOTA_EXCEEDED", "rate_headers", "too_fast"]

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
"""The problem type of the draft, section 5.1."""


def rate_headers(uses: Sequence[Use]) -> list[tuple[bytes, bytes]]:
    """RateLimit-Policy and RateLimit."""
    policies = ", ".join([use.policy.header for use in uses])
    left = ", ".join([f'"{use.policy.name}";r={use.remaining};t={use.reset}' for use in uses])
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", left.encode())]


def too_fast(violated: Sequence[Use], what: str) -> ApiError:
    """The response to a request beyond the limits `violated`; `what` was too many, e.g. requests of this account."""
    wait = max(use.reset for use in violated)
    return ApiError(
        429,
        ErrorCode.RATE_LIMITED,
        f"Too many {what}; please try again in {wait} s",
        {"Retry-After": str(wait)},
        type=QUOTA_EXCEEDED,
        violated_policies=[use.policy.name for use in violated],
    )
