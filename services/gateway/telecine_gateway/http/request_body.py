"""Reads request bodies, with a size limit that is enforced while they arrive, and parses JSON."""

import asyncio
import json
import re
from collections import Counter
from typing import Any

from fastapi import Request
from pydantic_core import from_json
from starlette.requests import ClientDisconnect

from .errors import ApiError
from .schemas import ErrorCode

__all__ = ["parse_json_object", "read_body"]

BODY_TIMEOUT = 20
"""Seconds that a body may take to arrive."""
_CODING = re.compile(r"[a-z0-9_.-]{1,30}")


class _DuplicateField(Exception):
    """An object has a field twice; the argument is its name."""


async def read_body(request: Request, limit: int) -> bytes:
    """The body, up to `limit` bytes. Raises ApiError 408, 413 or 415.

    The server discards the rest of a refused body.
    """
    _check_coding(", ".join(request.headers.getlist("content-encoding")))
    if int(request.headers.get("content-length", "0")) > limit:
        raise _too_large(limit)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        text = "The request body did not arrive in time"
        raise ApiError(408, ErrorCode.REQUEST_TIMEOUT, text, {"Connection": "close"}) from None
    except ClientDisconnect:
        text = "The connection was closed before the request was complete"
        raise ApiError(400, ErrorCode.INVALID, text) from None
    return bytes(body)


def _too_large(limit: int) -> ApiError:
    text = f"The request body must not be larger than {limit} bytes"
    return ApiError(413, ErrorCode.BODY_TOO_LARGE, text, {"Connection": "close"})


def _check_coding(coding: str) -> None:
    """Raises ApiError 415: a decompressed body would need limits of its own."""
    coding = coding.strip().lower()
    if coding not in ("", "identity"):
        name = f"Content-Encoding {coding}" if _CODING.fullmatch(coding) else "This Content-Encoding"
        text = f"{name} is not supported; send the body uncompressed"
        raise ApiError(415, ErrorCode.UNSUPPORTED_ENCODING, text, {"Accept-Encoding": "identity"})


def parse_json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises ApiError 400, also for duplicate fields: which one counts is ambiguous."""
    try:
        value = from_json(body, allow_inf_nan=False)
        # from_json keeps the last of duplicate fields. `parse_int`: numbers are not needed, and long ones are slow.
        json.loads(body.decode(), object_pairs_hook=_reject_duplicates, parse_int=len)
    except _DuplicateField as problem:
        raise ApiError(400, ErrorCode.INVALID, f"{problem.args[0]} is given twice") from None
    except ValueError as problem:
        # The parser says what is wrong and where, and repeats no value.
        raise ApiError(400, ErrorCode.INVALID, f"The request body is not valid JSON: {problem}") from None
    if not isinstance(value, dict):
        raise ApiError(400, ErrorCode.INVALID, "The request body must be a JSON object")
    return value


def _reject_duplicates(fields: list[tuple[str, Any]]) -> None:
    for name, count in Counter(name for name, _ in fields).items():
        if count > 1:
            raise _DuplicateField(name if name.isidentifier() and len(name) < 50 else "a field")
