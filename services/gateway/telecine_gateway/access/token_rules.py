"""What a token of the issuer must say, and where the issuer's keys may be fetched from."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from telecine_chassis.network import is_loopback, may_connect

from .api_keys import DEFAULT_SCOPES

__all__ = ["ALGORITHMS", "TokenRules", "is_trustworthy"]

ALGORITHMS = ("EdDSA", "Ed25519", "ES256", "ES512", "PS256", "RS256")
"""Signature algorithms that can be allowed. `Ed25519` is the name of EdDSA on that curve since RFC 9864."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What a token must say, and what its claims mean.

    `audiences`: it is for one of them. `scope_claims`: the first that is present counts; without any, the token has the
    `default_scopes`. `sign_up_claim`: must be true for a sign-up grant; empty if no claim is required.
    """

    issuer: str
    audiences: tuple[str, ...]
    account_claim: str = "sub"
    scope_claims: tuple[str, ...] = ()
    default_scopes: tuple[str, ...] = DEFAULT_SCOPES
    sign_up_claim: str = ""


def is_trustworthy(url: str) -> bool:
    """Whether keys may be fetched from `url`: who can change the response can sign for any account.

    HTTPS; or HTTP where the way is private: on this machine, to a private address, or to a name without a dot,
    which only a private network resolves.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018  raises ValueError
    except ValueError:
        return False
    if not host or parts.username is not None:
        return False
    private = may_connect(host, allow_private=True) and not may_connect(host)
    local = is_loopback(host) or private or ("." not in host and ":" not in host)
    return parts.scheme == "https" or (parts.scheme == "http" and local)
