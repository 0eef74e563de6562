"""Quotes: a price and the inputs that it is for, signed. A request that carries one is charged exactly that."""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from telecine_contracts.gateway import Kind, VideoParameters
from telecine_contracts.pricing import Price

__all__ = ["InvalidQuote", "Quotes", "SignedQuote", "inputs_digest"]

_MAC_BYTES = 32


class InvalidQuote(ValueError):
    """A token that was not given out to this account."""


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    price: Price
    inputs: Annotated[str, Field(description="Digest of the resolved inputs")]
    expires: int


@dataclass(frozen=True, slots=True)
class SignedQuote:
    """A quote that was given out. `inputs`: the digest of the resolved inputs that it is for."""

    price: Price
    inputs: str
    expires_at: datetime


class Quotes:
    """Signs and reads quotes (HMAC-SHA256 with a key of each account, derived from `secret`). `ttl` is in seconds."""

    def __init__(self, secret: str, ttl: int) -> None:
        self._secret = secret.encode()
        self._ttl = timedelta(seconds=ttl)

    def sign(
        self, account: str, quoted: Price, kind: Kind, parameters: VideoParameters, now: datetime
    ) -> tuple[str, datetime]:
        """The token, and when it expires: at the end of a whole second."""
        expires_at = (now + self._ttl).replace(microsecond=0)
        content = _Content(
            price=quoted, inputs=inputs_digest(kind, parameters), expires=int(expires_at.timestamp())
        )
        body = content.model_dump_json(exclude_none=True).encode()
        return _text(self._mac(account, body) + body), expires_at

    def read(self, account: str, token: str) -> SignedQuote:
        """The content of a token, expired or not. Raises InvalidQuote."""
        try:
            raw = base64.b64decode(
                token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True
            )
        except (UnicodeEncodeError, binascii.Error):
            raise InvalidQuote from None
        mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(account, body)):
            raise InvalidQuote
        try:
            content = _Content.model_validate_json(body)
        except ValidationError:
            # Of a version with other contents.
            raise InvalidQuote from None
        return SignedQuote(content.price, content.inputs, datetime.fromtimestamp(content.expires, UTC))

    def _mac(self, account: str, body: bytes) -> bytes:
        key = hmac.digest(self._secret, f"quote\n{account}".encode(), hashlib.sha256)
        return hmac.digest(key, body, hashlib.sha256)


def inputs_digest(kind: Kind, parameters: VideoParameters) -> str:
    """SHA-256 of the resolved inputs, hexadecimal."""
    text = f"{kind.value}\n{parameters.model_dump_json(exclude_none=True)}"
    return hashlib.sha256(text.encode()).hexdigest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
