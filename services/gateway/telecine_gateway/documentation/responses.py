"""Responses as FastAPI's route decorators take them, with examples."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from telecine_gateway.http.schemas import ErrorBody, ErrorCode
from telecine_gateway.rate_limits.headers import QUOTA_EXCEEDED

__all__ = ["RATE_LIMITED", "failure_responses", "success_response"]


_FAILURES = {
    400: (
        "The request is invalid; every invalid field is named",
        ErrorCode.INVALID,
        "duration must be from 2 to 12 seconds …",
    ),
    401: ("No valid API key or token", ErrorCode.UNAUTHORIZED, "Unauthorized"),
    403: (
        "The key does not have the scope that this needs; or the link is not valid, or the account is closed",
        ErrorCode.MISSING_SCOPE,
        "This key or token does not have the scope generate, which this needs",
    ),
    404: ("An unknown id, or another account's", ErrorCode.NOT_FOUND, "Not found"),
    408: (
        "The body did not arrive in time",
        ErrorCode.REQUEST_TIMEOUT,
        "The request body did not arrive in time",
    ),
    409: (
        "It conflicts with what was recorded before",
        ErrorCode.IDEMPOTENCY_CONFLICT,
        "This Idempotency-Key was used for another request",
    ),
    410: (
        "It ended without a video, or the temporary URL has expired",
        ErrorCode.NO_VIDEO,
        "The generation was cancelled",
    ),
    412: (
        "If-Match names another ETag",
        ErrorCode.PRECONDITION_FAILED,
        "The video has another ETag than If-Match names",
    ),
    413: (
        "The body is too large",
        ErrorCode.BODY_TOO_LARGE,
        "The request body must not be larger than 65536 bytes",
    ),
    415: (
        "The body is compressed",
        ErrorCode.UNSUPPORTED_ENCODING,
        "Content-Encoding gzip is not supported; send the body uncompressed",
    ),
    416: (
        "No byte of the video lies in that range",
        ErrorCode.RANGE_NOT_SATISFIABLE,
        "The range is outside the video",
    ),
    422: (
        "The quote has expired, or is for other inputs",
        ErrorCode.QUOTE_EXPIRED,
        "The quote has expired; POST /api/quotes gives a new one",
    ),
    429: (
        "Too many downloads of the video, or of the account, are open; see Retry-After",
        ErrorCode.TOO_MANY_DOWNLOADS,
        "10 downloads of this video are open already; let one end, then try again",
    ),
    502: (
        "The object store did not deliver",
        ErrorCode.STORAGE_UNAVAILABLE,
        "The video can't be read right now; please try again",
    ),
    503: (
        "Something behind the gateway is unavailable; the request may be repeated, see Retry-After",
        ErrorCode.UNAVAILABLE,
        "The service can't reach …",
    ),
}
"""Description and example of each status: what routes say in general."""


def success_response(model: type[BaseModel], description: str) -> dict[str, Any]:
    """A success: its schema and an example."""
    return {
        "model": model,
        "description": description,
        "content": {"application/json": {"example": _example(model)}},
    }


def _example(model: type[BaseModel]) -> Any:
    """`EXAMPLE` of the model itself: an inherited one would lack its fields."""
    return vars(model)["EXAMPLE"]


def failure_responses(
    *statuses: int, told: Mapping[int, tuple[str, dict[str, Any]]] = MappingProxyType({})
) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, each with an example; `told` replaces the general description of some."""
    return {status: _failure(*(told.get(status) or _general(status))) for status in statuses}


def _general(status: int) -> tuple[str, dict[str, Any]]:
    description, code, error = _FAILURES[status]
    return description, {"error": error, "code": code.value}


def _failure(description: str, example: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"example": example}}
    return {"model": ErrorBody, "description": description, "content": content}


RATE_LIMITED = {
    "description": "A rate limit is reached; see Retry-After, RateLimit and RateLimit-Policy",
    "headers": {
        name: {"description": description, "schema": {"type": "string"}}
        for name, description in (
            ("Retry-After", "Seconds to wait, at most 120"),
            ("RateLimit-Policy", 'The limits, e.g. `"account";q=1000;w=60`'),
            ("RateLimit", 'What is left of each, e.g. `"account";r=0;t=3`'),
        )
    },
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/ErrorBody"},
            "example": {
                "error": "Too many requests of this key or account; please try again in 3 s",
                "code": ErrorCode.RATE_LIMITED.value,
                "type": QUOTA_EXCEEDED,
                "violated-policies": ["account"],
            },
        }
    },
}
"""The 429 of every limited route, as OpenAPI."""
