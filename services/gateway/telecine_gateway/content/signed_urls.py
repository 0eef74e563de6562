"""Signed URLs of videos, which need no API key: a browser's <video> element can't send headers."""

import hashlib
import hmac
from datetime import datetime
from urllib.parse import quote_plus

__all__ = ["SignedUrls"]


class SignedUrls:
    """Signs and checks links to `/api/video/{id}/content` (HMAC-SHA256). `ttl` is in seconds."""

    def __init__(self, secret: str, public_url: str, ttl: int) -> None:
        self._secret = secret.encode()
        self._public_url = public_url.rstrip("/")
        self._ttl = ttl

    def sign(self, account: str, generation: str, now: datetime) -> str:
        """The full URL under which the video can be fetched until `ttl` seconds from `now`."""
        expires = str(int(now.timestamp()) + self._ttl)
        signature = self._signature(account, generation, expires)
        query = f"account={quote_plus(account)}&expires={expires}&signature={signature}"
        return f"{self._public_url}/api/video/{generation}/content?{query}"

    def is_valid(self, account: str, generation: str, *, expires: str, signature: str, now: datetime) -> bool:
        """Whether the URL was signed with our secret and has not expired."""
        if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
            return False
        right = self._signature(account, generation, expires)
        return hmac.compare_digest(right.encode(), signature.encode(errors="replace")) and (
            int(expires) > now.timestamp()
        )

    def _signature(self, account: str, generation: str, expires: str) -> str:
        message = "\n".join(("content", account, generation, expires))
        return hmac.new(self._secret, message.encode(errors="replace"), hashlib.sha256).hexdigest()
