"""API keys by the operator: the commands that append to the ACCESS stream, and the list of keys.

The rules are those of `telecine_gateway.access.key_rules`. Only the SHA-256 of a key is stored.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler, Decider
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_contracts import derive_id, registry, subjects
from telecine_contracts.access import ApiKeyCreated, ApiKeyRevoked, ApiKeyUsed
from telecine_contracts.permissions import OPERATOR
from telecine_gateway.access.api_keys import DEFAULT_SCOPES, PREFIX, NewKey, new_key
from telecine_gateway.access.key_rules import (
    CreateKey,
    KeyCommand,
    KeyRefused,
    Keys,
    RevokeKey,
    RotateKey,
    decide,
    evolve,
)
from telecine_jetstream.client import NatsClient

from .errors import CommandError

__all__ = ["ApiKeySummary", "create", "is_active", "list_keys", "revoke", "rotate"]

_EVERY_ACCOUNT = "access.*.*"


@dataclass(frozen=True, slots=True)
class ApiKeySummary:
    """One key without its secret. `last_used_at` may be a day late."""

    key_id: str
    account: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


async def create(
    connection: NatsClient,
    account: str,
    key: NewKey,
    *,
    name: str,
    scopes: tuple[str, ...] = DEFAULT_SCOPES,
    expires_at: datetime | None = None,
) -> None:
    """Let `key` act for `account`; does nothing if it does already. Raises CommandError."""
    command = CreateKey(account=account, key=key, name=name, at=_now(), scopes=scopes, expires_at=expires_at)
    await _execute(connection, command, key.key_id)


async def rotate(
    connection: NatsClient, key_id: str, *, overlap: timedelta, expires_at: datetime | None = None
) -> tuple[NewKey, ApiKeySummary]:
    """A new key in place of `key_id`, which works on for `overlap`. Returns it, and the old key as it is now.

    Raises:
        CommandError: no account has a key of that id, or it no longer works, or `expires_at` is missing or over.
    """
    old, key, at = await _find(connection, key_id), new_key(), _now()
    command = RotateKey(
        account=old.account,
        key=key,
        replaces=key_id,
        at=at,
        overlap=overlap,
        expires_at=expires_at,
    )
    await _execute(connection, command, key.key_id)
    return key, replace(old, expires_at=min(old.expires_at or at + overlap, at + overlap))


async def is_active(connection: NatsClient, account: str, key_id: str) -> bool | None:
    """Whether a key works; None if the account never had it."""
    keys = await _command_handler(connection).read(subjects.access(account))
    key = keys.known.get(key_id)
    return None if key is None else key.works(_now())


async def revoke(connection: NatsClient, key_id: str) -> ApiKeySummary:
    """Revoke a key. Returns the key as it was before.

    Raises:
        CommandError: no account has a key of that id.
    """
    found = await _find(connection, key_id)
    await _execute(connection, RevokeKey(account=found.account, key_id=key_id), key_id)
    return found


async def list_keys(connection: NatsClient, account: str | None = None) -> list[ApiKeySummary]:
    """The keys of one account or of all accounts, oldest first, including those that no longer work."""
    subject = subjects.access(account) if account else _EVERY_ACCOUNT
    keys: dict[tuple[str, str], ApiKeySummary] = {}
    for recorded in await JetStreamEventStore(connection, registry()).load(subject, include_undecoded=True):
        time = recorded.envelope.time
        match recorded.event:
            case ApiKeyCreated() as event:
                scopes = DEFAULT_SCOPES if event.scopes is None else event.scopes
                summary = ApiKeySummary(
                    event.key_id, event.account, event.name, scopes, time, event.expires_at
                )
                keys[event.account, event.key_id] = summary
                _shorten_replaced(keys, event)
            case ApiKeyRevoked() as event:
                key = event.account, event.key_id
                keys[key] = replace(keys[key], revoked_at=time)
            case ApiKeyUsed() as event:
                key = event.account, event.key_id
                keys[key] = replace(keys[key], last_used_at=event.used_at)
            case _:
                pass
    return list(keys.values())


def _shorten_replaced(keys: dict[tuple[str, str], ApiKeySummary], event: ApiKeyCreated) -> None:
    until = event.replaced_until
    old = keys.get((event.account, event.replaces or ""))
    if old is not None and until is not None:
        keys[old.account, old.key_id] = replace(old, expires_at=min(old.expires_at or until, until))


async def _find(connection: NatsClient, key_id: str) -> ApiKeySummary:
    if key_id.startswith(PREFIX):
        raise CommandError("this is a key, not a key's id: `telecine keys list` shows the ids")
    found = next((key for key in await list_keys(connection) if key.key_id == key_id), None)
    if found is None:
        raise CommandError(f"unknown key {key_id}: `telecine keys list` shows all keys")
    return found


async def _execute(connection: NatsClient, command: KeyCommand, key_id: str) -> None:
    # Derived from the command: a command that is given again has the same request id and is recorded once.
    request = derive_id(key_id, f"{type(command).__name__} {command.account}")
    subject = subjects.access(command.account)
    try:
        await _command_handler(connection).handle(subject, command, Cause(request, request))
    except KeyRefused as error:
        raise CommandError(str(error)) from None


def _now() -> datetime:
    return datetime.now(UTC)


def _command_handler(connection: NatsClient) -> CommandHandler[KeyCommand, Keys]:
    store = JetStreamEventStore(connection, registry())
    rules: Decider[KeyCommand, Keys] = Decider(Keys(), decide, evolve)
    return CommandHandler(store, rules, source=f"telecine/{OPERATOR}", clock=_now)
