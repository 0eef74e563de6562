"""Cursors of paginated lists: the position after which a page begins, encrypted, so that clients can't forge one."""

import base64
import binascii
import hashlib
import hmac
from typing import Any

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from telecine_gateway.documentation.schemas import SCHEMA

from .errors import ApiError

__all__ = ["CURSOR_SCHEMA", "UNKNOWN_CURSOR", "CursorCodec", "InvalidCursor", "decode_cursor"]

CURSOR_SCHEMA: dict[str, Any] = {SCHEMA: {"type": "string", "pattern": "^[A-Za-z0-9_-]{66}$"}}
"""What the OpenAPI document says of a cursor."""
UNKNOWN_CURSOR = "is not one that this list has given out"
_VERSION = b"\x02"
_PLACE_BYTES = 8


class InvalidCursor(ValueError):
    """A cursor that this list has not given out."""


class CursorCodec:
    """Encodes and decodes cursors: the position, encrypted and authenticated (XSalsa20-Poly1305).

    A position may be a sequence of a stream that all accounts share, which would tell how much the others do. The key
    belongs to one kind of list of one account and is derived from `secret`, which every gateway has: another
    list's cursor, another account's and a forged one are all refused. The same position gives the same cursor.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def encode(self, kind: str, account: str, position: int) -> str:
        """The cursor of `position` in the account's lists of `kind`."""
        key, plain = self._key(kind, account), position.to_bytes(_PLACE_BYTES, "big")
        # A deterministic nonce is safe here: it is used for one plaintext only (as in RFC 5297).
        nonce = hmac.digest(key, b"nonce" + plain, "sha256")[: SecretBox.NONCE_SIZE]
        return _text(_VERSION + bytes(SecretBox(key).encrypt(plain, nonce)))

    def decode(self, kind: str, account: str, text: str | None) -> int | None:
        """The position of a cursor; None without one. Raises InvalidCursor."""
        if text is None:
            return None
        try:
            raw = base64.b64decode(
                text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
            )
            if raw[:1] != _VERSION or _text(raw) != text:
                raise InvalidCursor
            return int.from_bytes(SecretBox(self._key(kind, account)).decrypt(raw[1:]), "big")
        except (UnicodeEncodeError, binascii.Error, CryptoError):
            raise InvalidCursor from None

    def _key(self, kind: str, account: str) -> bytes:
        return hmac.digest(self._secret, f"cursor\n{kind}\n{account}".encode(), hashlib.sha256)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(cursors: CursorCodec, kind: str, account: str, text: str | None) -> int | None:
    """The position of the parameter `cursor`; None without one. Raises ApiError 400."""
    try:
        return cursors.decode(kind, account, text)
    except InvalidCursor:
        message = f"{UNKNOWN_CURSOR}; leave it out to begin with the first page"
        raise ApiError.invalid_field("cursor", message) from None
