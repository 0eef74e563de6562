"""API keys: their form, their scopes, and the hash by which they are stored.

A key is `tk_`, 32 random characters of base 62 (190 bits) and a checksum of 6 characters, which detects a typo without
a lookup. Only the SHA-256 of a key is stored.
"""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["DEFAULT_SCOPES", "PREFIX", "NewKey", "Scope", "fingerprint", "is_well_formed", "new_key"]

PREFIX = "tk_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_CHARACTERS = 32
_FORM = re.compile(r"tk_([0-9A-Za-z]{32})([0-9A-Za-z]{6})")


class Scope(StrEnum):
    """What a key may be used for."""

    GENERATE = "generate"
    """Request, follow, download and cancel videos of the key's account."""
    KEYS = "keys"
    """List, create, rotate and revoke the account's keys."""
    ADMIN = "admin"
    """Grant and correct credits, close accounts and set limits, for every account."""


DEFAULT_SCOPES = (Scope.GENERATE.value,)
"""The scopes of a key that was created without naming any, and of every key from before 0.2."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just generated. `secret` is shown once and stored nowhere; `key_id` is its public name."""

    secret: str = field(repr=False)
    key_id: str
    key_sha256: str


def new_key() -> NewKey:
    """A random key: 32 characters of base 62 hold 190 bits."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    secret = f"{PREFIX}{body}{_checksum(body)}"
    sha256 = fingerprint(secret)
    return NewKey(secret, f"key_{sha256[:12]}", sha256)


def fingerprint(secret: str) -> str:
    """The SHA-256 of a key, in hexadecimal: what events and tables hold in its place."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_well_formed(secret: str) -> bool:
    """Whether `secret` has the form of a key and the right checksum."""
    match = _FORM.fullmatch(secret)
    return match is not None and _checksum(match[1]) == match[2]


def _checksum(body: str) -> str:
    """CRC-32 of a key's random part, as 6 characters of base 62."""
    value, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = _ALPHABET[digit] + digits
    return digits
