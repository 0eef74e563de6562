"""API keys: made, listed and revoked by events on the ACCESS stream."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_chassis.eventstore.jetstream import JetStreamEventStore
from telecine_contracts import derive_id, registry, subjects
from telecine_contracts.access import ApiKeyCreated, ApiKeyRevoked
from telecine_gateway.access.api_keys import (
    DEFAULT_SCOPES,
    KEYS,
    PREFIX,
    Command,
    CreateKey,
    Keys,
    NewKey,
    RevokeKey,
)
from telecine_jetstream.client import NatsClient

from .errors import CommandError
from .target import OPERATOR

__all__ = ["ApiKeySummary", "create", "is_active", "list_keys", "revoke"]

_EVERY_ACCOUNT = "access.*.*"


@dataclass(frozen=True, slots=True)
class ApiKeySummary:
    """One key, without its secret."""

    key_id: str
    account: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None = None


async def create(
    connection: NatsClient, account: str, key: NewKey, *, name: str, scopes: tuple[str, ...] = DEFAULT_SCOPES
) -> None:
    """Let `key` act for `account`; does nothing when it does already."""
    command = CreateKey(account, key.key_id, key.key_sha256, name, scopes)
    await _execute(connection, account, command)


async def is_active(connection: NatsClient, account: str, key_id: str) -> bool | None:
    """Whether a key works; None when the account never had it."""
    keys = await _aggregates(connection).read(subjects.access(account))
    return keys.working.get(key_id)


async def revoke(connection: NatsClient, key_id: str) -> ApiKeySummary:
    """Stop a key for good, and the key as it was before.

    Raises:
        Failure: when no account has a key of that id.
    """
    if key_id.startswith(PREFIX):
        raise CommandError("that is a key itself; name it by its id, as `telecine keys list` shows it")
    found = next((key for key in await list_keys(connection) if key.key_id == key_id), None)
    if found is None:
        raise CommandError(f"there is no key {key_id}: `telecine keys list` shows them all")
    await _execute(connection, found.account, RevokeKey(found.account, key_id))
    return found


async def list_keys(connection: NatsClient, account: str | None = None) -> list[ApiKeySummary]:
    """The keys of one account or of all, oldest first, the revoked ones too."""
    subject = subjects.access(account) if account else _EVERY_ACCOUNT
    keys: dict[tuple[str, str], ApiKeySummary] = {}
    for recorded in await JetStreamEventStore(connection, registry()).load(subject, unread=True):
        match recorded.event:
            case ApiKeyCreated() as event:
                place = event.account, event.key_id
                scopes = DEFAULT_SCOPES if event.scopes is None else event.scopes
                keys[place] = ApiKeySummary(
                    event.key_id, event.account, event.name, scopes, recorded.envelope.time
                )
            case ApiKeyRevoked() as event:
                place = event.account, event.key_id
                keys[place] = replace(keys[place], revoked_at=recorded.envelope.time)
            case _:
                pass
    return list(keys.values())


async def _execute(connection: NatsClient, account: str, command: Command) -> None:
    request = derive_id(command.key_id, f"{type(command).__name__} {account}")
    await _aggregates(connection).execute(subjects.access(account), command, Cause(request, request))


def _aggregates(connection: NatsClient) -> CommandHandler[Command, Keys]:
    store = JetStreamEventStore(connection, registry())
    return CommandHandler(store, KEYS, source=f"telecine/{OPERATOR}", clock=lambda: datetime.now(UTC))
