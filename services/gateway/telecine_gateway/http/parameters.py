"""Ids, account names and times in paths and queries."""

import re
from datetime import datetime
from typing import Any

from telecine_chassis.telemetry.tracing import bind_context
from telecine_contracts.subjects import TOKEN
from telecine_contracts.timestamps import TIMESTAMP_PATTERN, InvalidTimestamp, parse_date_or_timestamp
from telecine_gateway.documentation.schemas import SCHEMA

from .errors import ApiError, NotFound
from .schemas import ErrorCode

__all__ = [
    "ACCOUNT_SCHEMA",
    "TIMESTAMP_SCHEMA",
    "AccountNotFound",
    "parse_account_name",
    "parse_generation_id",
    "parse_time_parameter",
]

ACCOUNT_SCHEMA: dict[str, Any] = {SCHEMA: {"type": "string", "pattern": f"^{TOKEN.pattern}$"}}
"""What the OpenAPI document says of an account's name."""
TIMESTAMP_SCHEMA: dict[str, Any] = {
    SCHEMA: {"type": "string", "pattern": TIMESTAMP_PATTERN, "examples": ["2026-11-01"]}
}
"""What it says of a date or time."""
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class AccountNotFound(ApiError):
    """The account has no ledger entry."""

    def __init__(self, account: str) -> None:
        super().__init__(404, ErrorCode.NOT_FOUND, f"Account {account} has no entry in the ledger yet")


def parse_generation_id(text: str) -> str:
    """The id of a generation in lower case, which is bound to the logs and the trace of this request.

    Upper case is accepted (RFC 9562, section 4): Apple's libraries write UUIDs so.

    Raises NotFound for a text that can't be an id.
    """
    if not _UUID.fullmatch(text):
        raise NotFound
    generation = text.lower()
    bind_context(generation=generation)
    return generation


def parse_account_name(text: str) -> str:
    """`text`, if it can be an account's name. Raises ApiError 400."""
    if not TOKEN.fullmatch(text):
        raise ApiError.invalid_field("account", "must be 1 to 64 letters, digits, '_' or '-'")
    return text


def parse_time_parameter(name: str, text: str | None) -> datetime | None:
    """The date or time in the parameter `name`; without a zone it is UTC. Raises ApiError 400."""
    try:
        return parse_date_or_timestamp(text) if text is not None else None
    except InvalidTimestamp as error:
        raise ApiError.invalid_field(name, str(error)) from None
