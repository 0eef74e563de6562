"""The caller by an issuer's token: the token is verified, and refused in the terms of the API."""

from collections.abc import Awaitable, Callable

from telecine_chassis.telemetry.metrics import Metrics
from telecine_gateway.http.errors import RETRY_AFTER, ApiError
from telecine_gateway.http.schemas import ErrorCode

from .auth import CHALLENGE, Requester, unauthorized
from .jwks import IssuerUnavailable
from .tokens import InvalidAccountClaim, Reason, TokenRefused, TokenVerifier

__all__ = ["TokenAuth"]

_DESCRIPTIONS = {
    Reason.TOO_LARGE: "The token is too large",
    Reason.MALFORMED: "The token is malformed, or of a kind that is not accepted",
    Reason.UNKNOWN_KEY: "The token is not signed with a key of the issuer",
    Reason.BAD_SIGNATURE: "The signature is not valid",
    Reason.EXPIRED: "The token has expired",
    Reason.NOT_YET_VALID: "The token is not valid yet",
    Reason.WRONG_ISSUER: "The token is of another issuer",
    Reason.WRONG_AUDIENCE: "The token is for another audience",
    Reason.MISSING_CLAIM: "The token lacks exp, iss or aud",
}
NO_KEYS = "The keys of the tokens' issuer are unavailable, so no token can be verified; please try again"


class TokenAuth:
    """`sign_up` is awaited with the account of an accepted token that may have a sign-up grant, before its request."""

    def __init__(
        self,
        verifier: TokenVerifier,
        metrics: Metrics,
        sign_up: Callable[[str], Awaitable[None]],
    ) -> None:
        self._verifier = verifier
        self._sign_up = sign_up
        self._refused = metrics.counter(
            "telecine_tokens_refused", "Tokens of the issuer that were not accepted", "reason"
        )

    async def __call__(self, token: str) -> Requester:
        """The caller. Raises ApiError: 401, 403 if it has no valid account, 503 if no keys were fetched yet."""
        try:
            owner = await self._verifier.verify(token)
        except TokenRefused as error:
            self._refused.labels(error.reason.value).inc()
            raise _refusal(error) from None
        except IssuerUnavailable:
            raise ApiError(503, ErrorCode.UNAVAILABLE, NO_KEYS, {"Retry-After": RETRY_AFTER}) from None
        if owner.signs_up:
            await self._sign_up(owner.account)
        return Requester(owner.account, None, owner.scopes)


def _refusal(error: TokenRefused) -> ApiError:
    if isinstance(error, InvalidAccountClaim):
        text = (
            f"The claim {error.claim} of the token must name an account: 1 to 64 letters, digits, '_' or '-'"
        )
        return ApiError(403, ErrorCode.INVALID_ACCOUNT, text)
    return unauthorized(
        f'{CHALLENGE}, error="invalid_token", error_description="{_DESCRIPTIONS[error.reason]}"'
    )
