"""API keys: how they look, how they are kept, and the rules by which they come and go.

A key is `tk_`, 32 random characters of base 62 (190 bits) and 6 that check them, so that a typo is noticed without
a look into any table. Only its SHA-256 is ever kept.
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from telecine_chassis.eventstore.command_handler import Decider
from telecine_contracts import Event
from telecine_contracts.access import ApiKeyCreated, ApiKeyRevoked

__all__ = [
    "DEFAULT_SCOPES",
    "KEYS",
    "Command",
    "CreateKey",
    "Keys",
    "NewKey",
    "RevokeKey",
    "Scope",
    "UnknownKey",
    "UnknownScope",
    "fingerprint",
    "is_well_formed",
    "new_key",
]

PREFIX = "tk_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM = re.compile(r"tk_([0-9A-Za-z]{32})([0-9A-Za-z]{6})")


class Scope(StrEnum):
    """What a key may be used for."""

    GENERATE = "generate"
    """Ask for videos in its account's name, follow, fetch and cancel them."""
    ADMIN = "admin"
    """Grant and correct credits, close accounts, set limits: of every account."""


DEFAULT_SCOPES = (Scope.GENERATE.value,)
"""Of a key that was made without saying, and of every key from before 0.2."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `secret` is shown once and kept nowhere; `key_id` is its public name."""

    secret: str = field(repr=False)
    key_id: str
    key_sha256: str


def new_key() -> NewKey:
    """A key nobody else has."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(32))
    secret = f"{PREFIX}{body}{_checksum(body)}"
    sha256 = fingerprint(secret)
    return NewKey(secret, f"key_{sha256[:12]}", sha256)


def fingerprint(secret: str) -> str:
    """The SHA-256 by which a key is known, hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_well_formed(secret: str) -> bool:
    """Whether `secret` can be a key at all: its form and its checksum."""
    match = _FORM.fullmatch(secret)
    return match is not None and _checksum(match[1]) == match[2]


def _checksum(body: str) -> str:
    value, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = _ALPHABET[digit] + digits
    return digits


class UnknownKey(LookupError):
    """The account has no key of that id."""


class UnknownScope(ValueError):
    """A scope that no route asks for."""


@dataclass(frozen=True, slots=True)
class CreateKey:
    """Let a key act for an account."""

    account: str
    key_id: str
    key_sha256: str
    name: str
    scopes: tuple[str, ...] = DEFAULT_SCOPES


@dataclass(frozen=True, slots=True)
class RevokeKey:
    """Stop a key, for good."""

    account: str
    key_id: str


Command = CreateKey | RevokeKey


@dataclass(frozen=True, slots=True)
class Keys:
    """An account's keys by id: True while they work."""

    working: Mapping[str, bool] = field(default_factory=dict)


def decide(command: Command, keys: Keys) -> Event | None:
    """The event that `command` leads to; None when it was carried out before. Raises UnknownKey or UnknownScope."""
    match command:
        case CreateKey():
            if command.key_id in keys.working:
                return None
            _check(command.scopes)
            return ApiKeyCreated(
                account=command.account,
                key_id=command.key_id,
                key_sha256=command.key_sha256,
                name=command.name,
                scopes=tuple(sorted(set(command.scopes))),
            )
        case RevokeKey():
            if command.key_id not in keys.working:
                raise UnknownKey(f"account {command.account} has no key {command.key_id}")
            if not keys.working[command.key_id]:
                return None
            return ApiKeyRevoked(account=command.account, key_id=command.key_id)
        case _:
            assert_never(command)


def _check(scopes: tuple[str, ...]) -> None:
    unknown = [scope for scope in scopes if scope not in list(Scope)]
    if unknown or not scopes:
        known = ", ".join(Scope)
        raise UnknownScope(f"a key needs one scope or more of {known}; got {', '.join(unknown) or 'none'}")


def evolve(keys: Keys, event: Event) -> Keys:
    """The account's keys after an event."""
    match event:
        case ApiKeyCreated():
            return replace(keys, working={**keys.working, event.key_id: True})
        case ApiKeyRevoked():
            return replace(keys, working={**keys.working, event.key_id: False})
        case _:
            return keys


KEYS: Decider[Command, Keys] = Decider(Keys(), decide, evolve)
"""The rules of the ACCESS stream, for `Aggregates` over `subjects.access(account)`."""
