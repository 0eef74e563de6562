"""JSON Web Tokens of the issuer whose JWKS is configured: who a token's bearer is, and what it may do (RFC 7519, 8725).

Nothing of a token is logged or repeated in an error: its claims may be a whole user record.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jwt

from telecine_contracts.subjects import TOKEN

from .api_keys import Scope
from .jwks import IssuerKeys
from .token_rules import TokenRules

__all__ = ["InvalidAccountClaim", "Reason", "TokenOwner", "TokenRefused", "TokenVerifier"]

MAX_TOKEN = 8 * 1024
"""Longest token, in characters; a longer one is refused before it is parsed."""
LEEWAY = 30
"""Seconds that the issuer's clock may differ."""
MAX_CACHED = 10_000
"""Verified tokens that are cached until they expire."""


class Reason(StrEnum):
    """Why a token was refused: a closed list, for metrics and for the header of the response."""

    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    MISSING_CLAIM = "missing_claim"
    INVALID_ACCOUNT = "invalid_account"


class TokenRefused(Exception):
    """The token is not valid."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class InvalidAccountClaim(TokenRefused):
    """The token is valid, but `claim` is not the name of an account."""

    def __init__(self, claim: str) -> None:
        super().__init__(Reason.INVALID_ACCOUNT)
        self.claim = claim


@dataclass(frozen=True, slots=True)
class TokenOwner:
    """The bearer of a valid token. `signs_up`: the claim that a sign-up grant requires is true, or none is required."""

    account: str
    scopes: frozenset[str]
    expires_at: float
    signs_up: bool


class TokenVerifier:
    """Verifies tokens with the issuer's keys, each token once: the result is cached by the token's SHA-256."""

    def __init__(self, rules: TokenRules, keys: IssuerKeys, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._keys = keys
        self._clock = clock
        self._verified: OrderedDict[bytes, TokenOwner] = OrderedDict()
        self._version = keys.version

    async def verify(self, token: str) -> TokenOwner:
        """The bearer. Raises TokenRefused, or IssuerUnavailable before the first keys were fetched."""
        if len(token) > MAX_TOKEN:
            raise TokenRefused(Reason.TOO_LARGE)
        if self._version != self._keys.version:
            self._version = self._keys.version
            self._verified.clear()
        digest = hashlib.sha256(token.encode(errors="replace")).digest()
        owner = self._verified.get(digest)
        if owner is None:
            version = self._keys.version
            owner = self._owner(await self._claims(token))
            if version == self._keys.version:
                self._remember(digest, owner)
        elif owner.expires_at <= self._clock():
            del self._verified[digest]
            raise TokenRefused(Reason.EXPIRED)
        return owner

    def _remember(self, digest: bytes, owner: TokenOwner) -> None:
        self._verified[digest] = owner
        if len(self._verified) > MAX_CACHED:
            self._verified.popitem(last=False)

    async def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            key_id, algorithm = header.get("kid"), header.get("alg")
            if "crit" in header or not isinstance(key_id, str) or not isinstance(algorithm, str):
                raise TokenRefused(Reason.MALFORMED)
            key = await self._keys.find(key_id, algorithm)
            if key is None:
                raise TokenRefused(Reason.UNKNOWN_KEY)
            return jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._rules.issuer,
                audience=self._rules.audiences,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            raise TokenRefused(_reason(error)) from None
        except (ValueError, RecursionError):  # e.g. half of a surrogate pair
            raise TokenRefused(Reason.MALFORMED) from None

    def _owner(self, claims: Mapping[str, Any]) -> TokenOwner:
        rules = self._rules
        account = claims.get(rules.account_claim)
        if not isinstance(account, str) or not TOKEN.fullmatch(account):
            raise InvalidAccountClaim(rules.account_claim)
        signs_up = not rules.sign_up_claim or claims.get(rules.sign_up_claim) is True
        return TokenOwner(account, _scopes(claims, rules), float(claims["exp"]) + LEEWAY, signs_up)


def _scopes(claims: Mapping[str, Any], rules: TokenRules) -> frozenset[str]:
    """Of a text with spaces (RFC 8693) or a list; scopes that telecine does not have are ignored."""
    for claim in rules.scope_claims:
        named = claims.get(claim)
        if isinstance(named, str):
            named = named.split()
        if isinstance(named, list):
            return frozenset(scope.value for scope in Scope if scope.value in named)
    return frozenset(rules.default_scopes)


def _reason(error: jwt.PyJWTError) -> Reason:
    kinds: tuple[tuple[type[jwt.PyJWTError], Reason], ...] = (
        (jwt.ExpiredSignatureError, Reason.EXPIRED),
        (jwt.ImmatureSignatureError, Reason.NOT_YET_VALID),
        (jwt.InvalidIssuerError, Reason.WRONG_ISSUER),
        (jwt.InvalidAudienceError, Reason.WRONG_AUDIENCE),
        (jwt.MissingRequiredClaimError, Reason.MISSING_CLAIM),
        (jwt.InvalidSignatureError, Reason.BAD_SIGNATURE),
    )
    return next((reason for kind, reason in kinds if isinstance(error, kind)), Reason.MALFORMED)
