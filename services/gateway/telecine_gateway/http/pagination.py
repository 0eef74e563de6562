"""Cursors: the place after which a page begins, encrypted, so that clients can neither read nor forge them."""

import base64
import binascii
import hashlib
import hmac

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

__all__ = ["CursorCodec", "InvalidCursor"]

_VERSION = b"\x02"
_PLACE_BYTES = 8


class InvalidCursor(ValueError):
    """A cursor that this list has not given out."""


class CursorCodec:
    """Makes and reads cursors: the place, encrypted and authenticated (XSalsa20-Poly1305).

    A place may be a position in a stream that all accounts share, which tells how much the others do. The key belongs
    to one kind of list of one account and is derived from `secret`, which every gateway has: so another list's
    cursor, another account's and a made-up one are refused alike. The same place gives the same cursor.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def encode(self, kind: str, account: str, place: int) -> str:
        """The cursor of `decode` in the account's lists of `kind`."""
        key, plain = self._key(kind, account), place.to_bytes(_PLACE_BYTES, "big")
        # One nonce is for one place only, so it may be computed (as in RFC 5297).
        nonce = hmac.digest(key, b"nonce" + plain, "sha256")[: SecretBox.NONCE_SIZE]
        return _text(_VERSION + bytes(SecretBox(key).encrypt(plain, nonce)))

    def decode(self, kind: str, account: str, text: str | None) -> int | None:
        """The place a cursor stands for; None without one. Raises BadCursor."""
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
