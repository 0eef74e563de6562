"""Read a request's body with a limit that is counted while it comes in, and JSON out of it."""

import asyncio
from typing import Any

from fastapi import Request
from pydantic_core import from_json
from starlette.requests import ClientDisconnect

from .errors import ApiError

__all__ = ["json_object", "limited"]

PATIENCE = 20
"""Seconds that a body may take to arrive."""
DRAINED = 1024 * 1024
"""Bytes beyond the limit that are read and dropped: a client that still writes would not see the answer."""


async def limited(request: Request, limit: int) -> bytes:
    """The body, up to `limit` bytes. Raises ApiError 413 or 408."""
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= limit:
                    body += chunk
                elif size > limit + DRAINED:
                    break
    except TimeoutError:
        raise ApiError(
            408, {"error": "The request body did not arrive in time"}, {"Connection": "close"}
        ) from None
    except ClientDisconnect:
        raise ApiError(400, {"error": "The connection was closed before the request was complete"}) from None
    if size > limit:
        text = f"The request body must not be larger than {limit} bytes"
        raise ApiError(413, {"error": text}, {"Connection": "close"})
    return bytes(body)


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises ApiError 400."""
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise ApiError(400, {"error": "The request body is not valid JSON"}) from None
    if not isinstance(value, dict):
        raise ApiError(400, {"error": "The request body must be a JSON object"})
    return value
