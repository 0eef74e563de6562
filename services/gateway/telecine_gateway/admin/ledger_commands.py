"""Commands of administrators to the ledger: sent, logged, and waited for until the tables have the result."""

from collections.abc import Awaitable, Callable

import structlog
from pydantic.alias_generators import to_camel

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
"""Every other refusal is a conflict with the state of the ledger."""


class LedgerCommands:
    """`wait_for_entry` waits, for a limited time, until the tables have an entry of an account."""

    def __init__(self, ledger: Ledger, wait_for_entry: Callable[[str, int], Awaitable[None]]) -> None:
        self._ledger = ledger
        self._wait_for_entry = wait_for_entry

    async def execute(self, requester: Requester, command: LedgerCommand) -> LedgerAnswer:
        """Send a command to the ledger. Raises ApiError if it was refused or not answered."""
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
            await self._wait_for_entry(command.account, answer.entry)
        return answer


def _refused(answer: LedgerAnswer, refusal: Refusal) -> ApiError:
    error = answer.error or refusal.value
    # Commands to the ledger and bodies of the API have the same fields, in snake_case there and in camelCase here.
    invalid = [BadFieldBody(field=to_camel(answer.field), message=error)] if answer.field else []
    details = {"fields": invalid} if invalid else {}
    return ApiError(_STATUS.get(refusal, 409), ErrorCode(refusal.value), error, **details)
