"""Have the ledger changed for an administrator, and tell what became of it."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from telecine_contracts.commands import LedgerAnswer, LedgerCommand, Refusal
from telecine_gateway.access.auth import Requester
from telecine_gateway.http.errors import RETRY_AFTER, ApiError
from telecine_gateway.http.schemas import BadFieldBody, ErrorCode
from telecine_gateway.ledger.port import Ledger, LedgerUnavailable

__all__ = ["LedgerCommands"]

log = structlog.get_logger(__name__)
NO_ANSWER = (
    "The credits service did not answer, so it is not known whether this was carried out. "
    "Send the same request again: it is never carried out twice"
)
_STATUS = {Refusal.INVALID: 400}
"""Every other refusal is a conflict with what the ledger holds."""


class LedgerCommands:
    """`arrived` waits, for a moment, until an entry of an account can be read here."""

    def __init__(self, ledger: Ledger, arrived: Callable[[str, int], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._arrived = arrived

    async def execute(self, requester: Requester, command: LedgerCommand) -> LedgerAnswer:
        """What the ledger made of a command. Raises ApiError where it refused, or did not answer."""
        try:
            answer = await self._ledger.execute(command)
        except LedgerUnavailable as error:
            log.warning("ledger.silent", detail=str(error))
            raise ApiError(503, ErrorCode.UNAVAILABLE, NO_ANSWER, {"Retry-After": RETRY_AFTER}) from None
        if answer.refusal is not None:
            raise _refused(answer, answer.refusal)
        log.info(
            "ledger.commanded",
            command=type(command).__name__,
            account=command.account,
            done=answer.done,
            entry=answer.entry,
            by=requester.account,
            key_id=requester.key_id,
        )
        if answer.done and answer.entry:
            await self._arrived(command.account, answer.entry)
        return answer


def _refused(answer: LedgerAnswer, refusal: Refusal) -> ApiError:
    field, error = _camel(answer.field or ""), answer.error or refusal.value
    if answer.field:
        # The ledger calls a field as its commands do, the API as everything in it.
        error = error.replace(answer.field, field)
    details: dict[str, Any] = {"fields": [BadFieldBody(field=field, message=error)]} if field else {}
    return ApiError(_STATUS.get(refusal, 409), ErrorCode(refusal.value), error, **details)


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
