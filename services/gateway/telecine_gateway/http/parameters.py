"""Ids, names and cursors as they appear in paths and queries."""

import re
from typing import Any

from telecine_chassis.telemetry.tracing import about
from telecine_contracts.subjects import TOKEN
from telecine_contracts.timestamps import TIMESTAMP_PATTERN
from telecine_gateway.documentation.json_schema import CURSOR
from telecine_gateway.documentation.openapi import SCHEMA

from .errors import ApiError, NotFound
from .pagination import CursorCodec, InvalidCursor

__all__ = [
    "ACCOUNT_SCHEMA",
    "CURSOR_SCHEMA",
    "TIMESTAMP_SCHEMA",
    "UNKNOWN_CURSOR",
    "AccountNotFound",
    "decode_cursor",
    "parse_account_name",
    "parse_generation_id",
]

CURSOR_SCHEMA: dict[str, Any] = {SCHEMA: {"type": "string", "pattern": CURSOR}}
"""What the document says of a cursor."""
TIMESTAMP_SCHEMA: dict[str, Any] = {
    SCHEMA: {"type": "string", "pattern": TIMESTAMP_PATTERN, "examples": ["2026-11-01"]}
}
"""What it says of a date or time."""
ACCOUNT_SCHEMA: dict[str, Any] = {SCHEMA: {"type": "string", "pattern": f"^{TOKEN.pattern}$"}}
UNKNOWN_CURSOR = "is not one that this list has given out"
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def parse_generation_id(text: str) -> str:
    """`text` in lower case, if it can be the id of a generation; this request is about it, then.

    A UUID may come in capitals (RFC 9562, 4); Apple's libraries write them so.

    Raises NotFound: such a generation there can't be.
    """
    if not _UUID.fullmatch(text):
        raise NotFound
    generation = text.lower()
    about(generation=generation)
    return generation


def decode_cursor(cursors: CursorCodec, kind: str, account: str, text: str | None) -> int | None:
    """Where a page begins. Raises ApiError 400 for a cursor that the account's lists of `kind` do not give out."""
    try:
        return cursors.decode(kind, account, text)
    except InvalidCursor:
        raise ApiError.invalid_field(
            "cursor", f"{UNKNOWN_CURSOR}; leave it out to begin with the first page"
        ) from None


class AccountNotFound(ApiError):
    """No entry names the account."""

    def __init__(self, account: str) -> None:
        super().__init__(404, {"error": f"Account {account} has no entry in the ledger yet"})


def parse_account_name(text: str) -> str:
    """`text`, if it can be an account's name. Raises ApiError 400."""
    if not TOKEN.fullmatch(text):
        raise ApiError.invalid_field("account", "must be 1 to 64 letters, digits, '_' or '-'")
    return text
