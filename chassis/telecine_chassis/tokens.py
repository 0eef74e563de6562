"""Unguessable names for paths that strangers call, computed from a secret: nothing has to be stored."""

import hashlib
import hmac

__all__ = ["path_token", "verifies"]


def path_token(secret: str, *parts: str) -> str:
    """32 hex characters (128 bits) that only a holder of `secret` can compute for these parts."""
    message = "\n".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()[:32]


def verifies(token: str, secret: str, *parts: str) -> bool:
    """Whether `token` is the one for these parts; takes the same time whichever character is wrong."""
    return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), path_token(secret, *parts).encode())
