"""The rules of API keys: how the operator or an account makes, replaces and revokes them, and when a use is recorded.

KeyRefused          a command that is not allowed
├── UnknownKey      the account has no such key, or no longer
├── UnknownScope    no route requires this scope
├── ExcessScope     the caller does not have this scope itself
├── BadExpiry       the key would expire at once, or the overlap is too long
├── ExpiryConflict  it would expire after the key that makes it, or it is not said when, though the old one expires
└── TooManyKeys     the account has MAX_KEYS
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from telecine_contracts import Event
from telecine_contracts.access import ApiKeyAdded, ApiKeyCreated, ApiKeyRemoved, ApiKeyRevoked, ApiKeyUsed

from .api_keys import DEFAULT_SCOPES, NewKey, Scope

__all__ = [
    "MAX_KEYS",
    "MAX_OVERLAP",
    "USE_INTERVAL",
    "Authority",
    "BadExpiry",
    "CreateKey",
    "ExcessScope",
    "ExpiryConflict",
    "KeyCommand",
    "KeyRefused",
    "KeyState",
    "Keys",
    "RecordUse",
    "RevokeKey",
    "RotateKey",
    "TooManyKeys",
    "UnknownKey",
    "UnknownScope",
    "decide",
    "evolve",
]

MAX_KEYS = 100
"""Keys in force that an account may make itself; the operator may make more."""
USE_INTERVAL = timedelta(days=1)
"""A use of a key is recorded if none was for so long: an event a day and key, however often it is used."""
MAX_OVERLAP = timedelta(days=30)
"""For so long at most, a key works beside the one that replaces it."""


class KeyRefused(Exception):
    """The command is not allowed."""


class UnknownKey(KeyRefused):
    """The account has no such key, or no longer."""


class UnknownScope(KeyRefused):
    """No route requires this scope."""


class ExcessScope(KeyRefused):
    """The caller does not have this scope itself."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"a key of the scope {scope} can be made only by one who has it")
        self.scope = scope


class BadExpiry(KeyRefused):
    """The key would expire at once, or the overlap is too long."""


class ExpiryConflict(KeyRefused):
    """It would expire after the key that makes it; or it is not said when it does, though the old one expires."""


class TooManyKeys(KeyRefused):
    """The account has MAX_KEYS."""


@dataclass(frozen=True, slots=True)
class Authority:
    """An account that acts for itself, by a key or token: it can pass on no more than it has."""

    scopes: frozenset[str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateKey:
    """Let a key act for an account. `by`: the account itself; None: the operator."""

    account: str
    key: NewKey
    name: str
    at: datetime
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    expires_at: datetime | None = None
    by: Authority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKey:
    """Let a new key replace the key `replaces`, with its name and scopes, which works on for `overlap`."""

    account: str
    key: NewKey
    replaces: str
    at: datetime
    overlap: timedelta
    expires_at: datetime | None = None
    by: Authority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeKey:
    """Revoke a key. A revoked key never works again."""

    account: str
    key_id: str
    by: Authority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordUse:
    """A key was used."""

    account: str
    key_id: str
    at: datetime


KeyCommand = CreateKey | RotateKey | RevokeKey | RecordUse


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key."""

    name: str
    scopes: tuple[str, ...]
    expires_at: datetime | None = None
    revoked: bool = False
    used_at: datetime | None = None

    def works(self, at: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return not self.revoked and (self.expires_at is None or at < self.expires_at)


@dataclass(frozen=True, slots=True)
class Keys:
    """An account's keys by id, including those that no longer work."""

    known: Mapping[str, KeyState] = field(default_factory=dict)


def decide(command: KeyCommand, keys: Keys) -> Event | None:
    """The event that a command leads to; None if it was carried out before. Raises KeyRefused."""
    match command:
        case CreateKey():
            return None if command.key.key_id in keys.known else _create(command, keys)
        case RotateKey():
            return None if command.key.key_id in keys.known else _rotate(command, keys)
        case RevokeKey():
            if _find(keys, command.account, command.key_id).revoked:
                return None
            removed = ApiKeyRevoked if command.by is None else ApiKeyRemoved
            return removed(account=command.account, key_id=command.key_id)
        case RecordUse():
            used_at = _find(keys, command.account, command.key_id).used_at
            if used_at is not None and command.at - used_at < USE_INTERVAL:
                return None
            return ApiKeyUsed(account=command.account, key_id=command.key_id, used_at=command.at)
        case _:
            assert_never(command)


def _create(command: CreateKey, keys: Keys) -> ApiKeyCreated:
    unknown = [scope for scope in command.scopes if scope not in list(Scope)]
    if unknown or not command.scopes:
        known = ", ".join(Scope)
        raise UnknownScope(f"a key needs one scope or more of {known}; got {', '.join(unknown) or 'none'}")
    _check_authority(command, command.scopes)
    if command.by is not None and sum(key.works(command.at) for key in keys.known.values()) >= MAX_KEYS:
        raise TooManyKeys(f"the account has {MAX_KEYS} keys: revoke those that are not used")
    created = ApiKeyCreated if command.by is None else ApiKeyAdded
    return created(
        account=command.account,
        key_id=command.key.key_id,
        key_sha256=command.key.key_sha256,
        name=command.name,
        scopes=tuple(sorted(set(command.scopes))),
        expires_at=command.expires_at,
    )


def _rotate(command: RotateKey, keys: Keys) -> ApiKeyCreated:
    old = _find(keys, command.account, command.replaces)
    if not old.works(command.at):
        raise UnknownKey(f"key {command.replaces} of account {command.account} is revoked or has expired")
    if old.expires_at is not None and command.expires_at is None:
        raise ExpiryConflict(
            f"key {command.replaces} expires, so the one that replaces it needs a time to expire, too"
        )
    if not timedelta() <= command.overlap <= MAX_OVERLAP:
        raise BadExpiry(f"the old key may work for at most {MAX_OVERLAP.days} days beside the new one")
    _check_authority(command, old.scopes)
    created = ApiKeyCreated if command.by is None else ApiKeyAdded
    return created(
        account=command.account,
        key_id=command.key.key_id,
        key_sha256=command.key.key_sha256,
        name=old.name,
        scopes=old.scopes,
        expires_at=command.expires_at,
        replaces=command.replaces,
        replaced_until=command.at + command.overlap,
    )


def _check_authority(command: CreateKey | RotateKey, scopes: Collection[str]) -> None:
    if command.expires_at is not None and command.expires_at <= command.at:
        raise BadExpiry("the time at which the key expires is over")
    if command.by is None:
        return
    for scope in sorted(scopes):
        if scope not in command.by.scopes:
            raise ExcessScope(scope)
    limit = command.by.expires_at
    if limit is not None and (command.expires_at is None or command.expires_at > limit):
        raise ExpiryConflict("a key that expires can make only keys that expire no later than itself")


def _find(keys: Keys, account: str, key_id: str) -> KeyState:
    if key_id not in keys.known:
        raise UnknownKey(f"account {account} has no key {key_id}")
    return keys.known[key_id]


def evolve(keys: Keys, event: Event) -> Keys:
    """The account's keys after an event."""
    match event:
        case ApiKeyCreated():
            scopes = DEFAULT_SCOPES if event.scopes is None else event.scopes
            known = {**keys.known, event.key_id: KeyState(event.name, scopes, event.expires_at)}
            old = known.get(event.replaces or "")
            if event.replaces and old is not None and event.replaced_until is not None:
                expires_at = min(old.expires_at or event.replaced_until, event.replaced_until)
                known[event.replaces] = replace(old, expires_at=expires_at)
            return Keys(known)
        case ApiKeyRevoked():
            return _changed(keys, event.key_id, revoked=True)
        case ApiKeyUsed():
            return _changed(keys, event.key_id, used_at=event.used_at)
        case _:
            return keys


def _changed(keys: Keys, key_id: str, **changes: object) -> Keys:
    key = keys.known.get(key_id)
    return keys if key is None else Keys({**keys.known, key_id: replace(key, **changes)})  # type: ignore[arg-type]
