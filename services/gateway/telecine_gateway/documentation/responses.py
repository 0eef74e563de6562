"""Examples for the OpenAPI document, and the ways in which every route may fail."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from telecine_gateway.http.schemas import ErrorBody, ErrorCode
from telecine_gateway.videos.schemas import (
    Accepted,
    CancelBody,
    GenerateBody,
    Health,
    History,
    InsufficientCredits,
    Pending,
    Pricing,
    Record,
    RecordWithEvents,
    StatusBody,
)

from .json_schema import generate_schema

__all__ = ["failure_responses", "generate_body", "request_body", "success_response"]

_ID = "3f2b8c1e-5d0a-4b57-9d55-0a4c1f6e7b21"
_PROVIDER = "cgt-20261123040506-9lklw"
_URL = f"https://telecine.example/api/video/{_ID}/content?account=acme&expires=1796000000&signature=6f…"
_RECORD: dict[str, Any] = {
    "id": _ID,
    "type": "video",
    "kind": "text-to-video",
    "prompt": "A lighthouse in a storm, filmed from a boat",
    "imageUrl": None,
    "lastFrameUrl": None,
    "taskId": _ID,
    "providerTaskId": _PROVIDER,
    "resultUrl": _URL,
    "status": "completed",
    "error": None,
    "errorCode": None,
    "creditsUsed": 50,
    "metadata": {
        "duration": 5,
        "resolution": "720p",
        "watermark": False,
        "cameraFixed": None,
        "ratio": "16:9",
        "seed": None,
        "model": "doubao-seedance-1-0-pro-250528",
    },
    "bytes": 1843201,
    "sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    "width": 1280,
    "height": 720,
    "createdAt": "2026-11-23T04:05:06.789Z",
    "updatedAt": "2026-11-23T04:05:41.012Z",
}
_EVENT = {
    "type": "credits.debited.v1",
    "stream": "LEDGER",
    "sequence": 2,
    "time": "2026-11-23T04:05:06.792Z",
    "data": {"amount": 50, "balances": {"available": 250, "held": 50}},
}
_EXAMPLES: dict[type[BaseModel], dict[str, Any]] = {
    Accepted: {"id": _ID, "taskId": _ID, "status": "processing", "remainingCredits": 250},
    Pending: {"id": _ID, "taskId": _ID, "status": "pending"},
    InsufficientCredits: {
        "error": "Insufficient credits",
        "code": "insufficient_credits",
        "creditsNeeded": 50,
        "remainingCredits": 30,
    },
    StatusBody: {
        "id": _ID,
        "taskId": _ID,
        "status": "processing",
        "providerTaskId": _PROVIDER,
        "taskStatus": "RUNNING",
        "statusText": "The video is being made",
        "elapsedSeconds": 45,
    },
    Record: _RECORD,
    RecordWithEvents: _RECORD | {"events": [_EVENT]},
    History: {
        "items": [_RECORD],
        "nextCursor": "Aq_kD1vLm8k4m0Zl2vI3b6cR9o5tUq7xW1yE0nHsJdPgTfCwBiXaGzVuNyMrQpKhO",
    },
    CancelBody: {"id": _ID, "status": "cancelled", "cancel": "cancelled"},
    Pricing: {
        "version": "2026-11",
        "longAfter": 10,
        "prices": [{"resolution": "720p", "short": 50, "long": 75}],
        "defaultModel": "doubao-seedance-1-0-pro-250528",
        "models": [
            {
                "name": "doubao-seedance-1-0-pro-250528",
                "durations": [2, 12],
                "resolutions": ["480p", "720p", "1080p"],
                "lastFrame": True,
                "cameraFixed": True,
            }
        ],
        "quote": {
            "credits": 50,
            "model": "doubao-seedance-1-0-pro-250528",
            "resolution": "720p",
            "duration": 5,
        },
    },
    Health: {"status": "ok"},
}


def request_body(model: type[BaseModel], examples: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A request's body with its shape and examples by name."""
    values = {name: {"value": value} for name, value in examples.items()}
    content = {"application/json": {"schema": model.model_json_schema(), "examples": values}}
    return {"required": True, "content": content}


_FAILURES = {
    400: (
        "The request is invalid; every invalid field is named",
        ErrorCode.INVALID,
        "duration must be from 2 to 12 seconds …",
    ),
    401: ("No valid API key", ErrorCode.UNAUTHORIZED, "Unauthorized"),
    403: (
        "The key does not have the scope that this needs; or the link is not valid, or the account is closed",
        ErrorCode.MISSING_SCOPE,
        "This key does not have the scope generate, which this needs",
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

_GENERATE: dict[str, dict[str, Any]] = {
    "text-to-video": {
        "prompt": "A lighthouse in a storm, filmed from a boat",
        "resolution": "720p",
        "duration": 5,
    },
    "image-to-video": {
        "prompt": "The cat turns its head",
        "imageUrl": "https://images.example.com/cat.jpg",
        "cameraFixed": True,
    },
}


def generate_body(models: tuple[str, ...], default_model: str) -> dict[str, Any]:
    """The body that asks for a video from these models."""
    described = request_body(GenerateBody, _GENERATE)
    described["content"]["application/json"]["schema"] = generate_schema(GenerateBody, models, default_model)
    return described


def success_response(model: type[BaseModel], description: str) -> dict[str, Any]:
    """An answer with its shape and an example."""
    return {
        "model": model,
        "description": description,
        "content": {"application/json": {"example": _example(model)}},
    }


def _example(model: type[BaseModel]) -> Any:
    return _EXAMPLES[model] if model in _EXAMPLES else vars(model)["EXAMPLE"]


def failure_responses(
    *statuses: int, told: Mapping[int, tuple[str, dict[str, Any]]] = MappingProxyType({})
) -> dict[int | str, dict[str, Any]]:
    """How a route may fail, with an example of each; `told`: what it says of some of them itself."""
    return {status: _failure(*(told.get(status) or _general(status))) for status in statuses}


def _general(status: int) -> tuple[str, dict[str, Any]]:
    description, code, error = _FAILURES[status]
    return description, {"error": error, "code": code.value}


def _failure(description: str, example: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"example": example}}
    return {"model": ErrorBody, "description": description, "content": content}
