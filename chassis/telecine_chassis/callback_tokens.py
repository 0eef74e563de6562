"""HMAC tokens that authenticate callback URLs."""

import hashlib
import hmac

__all__ = ["callback_token", "is_callback_token"]


def callback_token(secret: str, account: str, generation: str) -> str:
    """The last segment of a generation's callback path: 32 hexadecimal digits (128 bits of HMAC-SHA256)."""
    text = f"callback\n{account}\n{generation}"
    return hmac.new(secret.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def is_callback_token(secret: str, account: str, generation: str, token: str) -> bool:
    """Whether `token` is the generation's; compared in constant time."""
    right = callback_token(secret, account, generation)
    return hmac.compare_digest(right.encode(), token.encode(errors="replace"))
