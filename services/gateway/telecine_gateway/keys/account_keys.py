"""What an account does with its own keys: appended to ACCESS, and refused in the terms of the API."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_chassis.eventstore.port import RecordedEvent
from telecine_contracts import derive_id, subjects
from telecine_contracts.access import ApiKeyCreated
from telecine_gateway.access.api_keys import new_key
from telecine_gateway.access.auth import Requester
from telecine_gateway.access.key_rules import (
    Authority,
    BadExpiry,
    CreateKey,
    ExcessScope,
    ExpiryConflict,
    KeyCommand,
    KeyRefused,
    Keys,
    RecordUse,
    RevokeKey,
    RotateKey,
    TooManyKeys,
    UnknownKey,
)
from telecine_gateway.http.errors import ApiError, NotFound
from telecine_gateway.http.schemas import ErrorCode

from .schemas import EXPIRY_FIELD, CreatedKeyBody, CreateKeyBody, RotateKeyBody

__all__ = ["AccountKeys", "KeyCommands", "record_use"]

log = structlog.get_logger(__name__)
KeyCommands = CommandHandler[KeyCommand, Keys]


class AccountKeys:
    """`wait_until_visible` waits, for a limited time, until the tables have the ACCESS stream up to a sequence."""

    def __init__(
        self,
        commands: KeyCommands,
        wait_until_visible: Callable[[int], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._commands = commands
        self._wait_until_visible = wait_until_visible
        self._clock = clock

    def now(self) -> datetime:
        """The time by which keys expire."""
        return self._clock()

    async def create(self, requester: Requester, body: CreateKeyBody) -> CreatedKeyBody:
        """A new key of the caller's account. Raises ApiError."""
        command = CreateKey(
            account=requester.account,
            key=new_key(),
            name=body.name or "",
            at=self._clock(),
            scopes=body.scope_names,
            expires_at=body.expires_at,
            by=_authority(requester),
        )
        return await self._create(requester, command)

    async def rotate(self, requester: Requester, key_id: str, body: RotateKeyBody) -> CreatedKeyBody:
        """A new key in place of `key_id`. Raises ApiError."""
        command = RotateKey(
            account=requester.account,
            key=new_key(),
            replaces=key_id,
            at=self._clock(),
            overlap=timedelta(seconds=body.overlap),
            expires_at=body.expires_at,
            by=_authority(requester),
        )
        return await self._create(requester, command)

    async def revoke(self, requester: Requester, key_id: str) -> None:
        """Revoke a key of the caller's account; it may be revoked already. Raises ApiError."""
        command = RevokeKey(account=requester.account, key_id=key_id, by=_authority(requester))
        await self._handle(requester, command, derive_id(key_id, f"RevokeKey {requester.account}"), key_id)

    async def _create(self, requester: Requester, command: CreateKey | RotateKey) -> CreatedKeyBody:
        cause = derive_id(command.key.key_id, f"CreateKey {command.account}")
        done = await self._handle(requester, command, cause, command.key.key_id)
        assert done is not None and isinstance(done.event, ApiKeyCreated)  # a new key was not created before
        return CreatedKeyBody.of(command.key, done.event, done.envelope.time)

    async def _handle(
        self, requester: Requester, command: KeyCommand, cause: str, key_id: str
    ) -> RecordedEvent | None:
        """The event, None if there was nothing to do. It can be queried once this returns."""
        try:
            done = await self._commands.handle(subjects.access(command.account), command, Cause(cause, cause))
        except KeyRefused as error:
            raise _refused(error) from None
        if done.event is None:
            return None
        log.info(
            "key.changed",
            change=done.event.event.action,
            key_id=key_id,
            account=requester.account,
            by=requester.key_id,
        )
        await self._wait_until_visible(done.event.sequence)
        return done.event


async def record_use(commands: KeyCommands, use: RecordUse) -> None:
    """Record the use of a key, unless one was recorded lately. Raises KeyRefused, StoreError."""
    cause = derive_id(use.key_id, f"RecordUse {use.at.isoformat()}")
    await commands.handle(subjects.access(use.account), use, Cause(cause, cause))


def _authority(requester: Requester) -> Authority:
    return Authority(requester.scopes, requester.expires_at)


def _refused(error: KeyRefused) -> ApiError:
    sentence = str(error)[:1].upper() + str(error)[1:]
    match error:
        case UnknownKey():
            return NotFound()
        case ExcessScope():
            text = (
                f"This key or token does not have the scope {error.scope}, so it can't make a key that has it"
            )
            return ApiError(403, ErrorCode.MISSING_SCOPE, text, scope=error.scope)
        case TooManyKeys():
            return ApiError(409, ErrorCode.TOO_MANY_KEYS, sentence)
        case ExpiryConflict():
            return ApiError(409, ErrorCode.KEY_EXPIRY, sentence)
        case BadExpiry():
            return ApiError.invalid_field(EXPIRY_FIELD, f"is refused: {error}")
        case _:
            return ApiError(400, ErrorCode.INVALID, str(error))
