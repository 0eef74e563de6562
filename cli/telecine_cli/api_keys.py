"""API keys: the rules by which they are created and revoked, and the commands that append to the ACCESS stream.

The command line is the only writer of ACCESS. The form of a key, which the gateway checks, is
`telecine_gateway.access.api_keys`. Only the SHA-256 of a key is stored.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import assert_never

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, Decider
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_contracts import Event, derive_id, registry, subjects
from telecine_contracts.access import ApiKeyCreated, ApiKeyRevoked
from telecine_contracts.permissions import OPERATOR
from telecine_gateway.access.api_keys import ALPHABET, DEFAULT_SCOPES, PREFIX, Scope, checksum, fingerprint
from telecine_jetstream.client import NatsClient

from .errors import CommandError, UnknownKey, UnknownScope

__all__ = [
    "KEYS",
    "ApiKeySummary",
    "CreateKey",
    "Keys",
    "NewKey",
    "RevokeKey",
    "create",
    "is_active",
    "list_keys",
    "new_key",
    "revoke",
]

_RANDOM_CHARACTERS = 32
_EVERY_ACCOUNT = "access.*.*"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just generated. `secret` is shown once and stored nowhere; `key_id` is its public name."""

    secret: str = field(repr=False)
    key_id: str
    key_sha256: str


def new_key() -> NewKey:
    """A random key: 32 characters of base 62 hold 190 bits."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    secret = f"{PREFIX}{body}{checksum(body)}"
    sha256 = fingerprint(secret)
    return NewKey(secret, f"key_{sha256[:12]}", sha256)


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
    """Revoke a key. A revoked key is never active again."""

    account: str
    key_id: str


Command = CreateKey | RevokeKey


@dataclass(frozen=True, slots=True)
class Keys:
    """An account's keys by id: True while a key is active, False once it is revoked."""

    active: Mapping[str, bool] = field(default_factory=dict)


def decide(command: Command, keys: Keys) -> Event | None:
    """The event that a command leads to; None if it was carried out before.

    Raises:
        UnknownKey: the key to revoke does not exist.
        UnknownScope: a scope that no route requires.
    """
    match command:
        case CreateKey():
            return None if command.key_id in keys.active else _created(command)
        case RevokeKey():
            if command.key_id not in keys.active:
                raise UnknownKey(f"account {command.account} has no key {command.key_id}")
            if not keys.active[command.key_id]:
                return None
            return ApiKeyRevoked(account=command.account, key_id=command.key_id)
        case _:
            assert_never(command)


def _created(command: CreateKey) -> ApiKeyCreated:
    unknown = [scope for scope in command.scopes if scope not in list(Scope)]
    if unknown or not command.scopes:
        known = ", ".join(Scope)
        raise UnknownScope(f"a key needs one scope or more of {known}; got {', '.join(unknown) or 'none'}")
    return ApiKeyCreated(
        account=command.account,
        key_id=command.key_id,
        key_sha256=command.key_sha256,
        name=command.name,
        scopes=tuple(sorted(set(command.scopes))),
    )


def evolve(keys: Keys, event: Event) -> Keys:
    """The account's keys after an event."""
    match event:
        case ApiKeyCreated():
            return replace(keys, active={**keys.active, event.key_id: True})
        case ApiKeyRevoked():
            return replace(keys, active={**keys.active, event.key_id: False})
        case _:
            return keys


KEYS: Decider[Command, Keys] = Decider(Keys(), decide, evolve)
"""The rules of the ACCESS stream, for a `CommandHandler` on `subjects.access(account)`."""


@dataclass(frozen=True, slots=True)
class ApiKeySummary:
    """One key without its secret."""

    key_id: str
    account: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None


async def create(
    connection: NatsClient, account: str, key: NewKey, *, name: str, scopes: tuple[str, ...] = DEFAULT_SCOPES
) -> None:
    """Let `key` act for `account`; does nothing if it does already."""
    await _execute(connection, CreateKey(account, key.key_id, key.key_sha256, name, scopes))


async def is_active(connection: NatsClient, account: str, key_id: str) -> bool | None:
    """Whether a key is active; None if the account never had it."""
    keys = await _command_handler(connection).read(subjects.access(account))
    return keys.active.get(key_id)


async def revoke(connection: NatsClient, key_id: str) -> ApiKeySummary:
    """Revoke a key. Returns the key as it was before.

    Raises:
        CommandError: no account has a key of that id.
    """
    if key_id.startswith(PREFIX):
        raise CommandError("this is a key, not a key's id: `telecine keys list` shows the ids")
    found = next((key for key in await list_keys(connection) if key.key_id == key_id), None)
    if found is None:
        raise CommandError(f"unknown key {key_id}: `telecine keys list` shows all keys")
    await _execute(connection, RevokeKey(found.account, key_id))
    return found


async def list_keys(connection: NatsClient, account: str | None = None) -> list[ApiKeySummary]:
    """The keys of one account or of all accounts, oldest first, including revoked ones."""
    subject = subjects.access(account) if account else _EVERY_ACCOUNT
    keys: dict[tuple[str, str], ApiKeySummary] = {}
    for recorded in await JetStreamEventStore(connection, registry()).load(subject, include_undecoded=True):
        time = recorded.envelope.time
        match recorded.event:
            case ApiKeyCreated() as event:
                scopes = DEFAULT_SCOPES if event.scopes is None else event.scopes
                summary = ApiKeySummary(event.key_id, event.account, event.name, scopes, time)
                keys[event.account, event.key_id] = summary
            case ApiKeyRevoked() as event:
                key = event.account, event.key_id
                keys[key] = replace(keys[key], revoked_at=time)
            case _:
                pass
    return list(keys.values())


async def _execute(connection: NatsClient, command: Command) -> None:
    # Derived from the command: a command that is given again has the same request id and is recorded once.
    request = derive_id(command.key_id, f"{type(command).__name__} {command.account}")
    subject = subjects.access(command.account)
    await _command_handler(connection).handle(subject, command, Cause(request, request))


def _command_handler(connection: NatsClient) -> CommandHandler[Command, Keys]:
    store = JetStreamEventStore(connection, registry())
    return CommandHandler(store, KEYS, source=f"telecine/{OPERATOR}", clock=lambda: datetime.now(UTC))
