"""Every answer that is not a success: JSON with `error`, whatever went wrong."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from telecine_chassis.eventstore.port import StoreError, UnreadableMessage, UnsupportedEvent
from telecine_chassis.projections.availability import UNAVAILABLE_ERRORS
from telecine_gateway.videos.request_parser import InvalidField, InvalidRequest

__all__ = [
    "ApiError",
    "NotFound",
    "failure_body",
    "install_error_handlers",
    "json_response",
    "mark_possibly_recorded",
]

log = structlog.get_logger(__name__)
RETRY_AFTER = "2"
"""Seconds."""
RETRY_AFTER_OPERATOR = "120"
"""Seconds, where an operator has to do something first."""
NEWER_EVENT = (
    "A newer version of the service has written about this; nothing was changed. Try again after the upgrade"
)
UNREADABLE_EVENT = "What is recorded about this cannot be read; nothing was changed, and the operator is told"
UNAVAILABLE = "The service can't reach its event store or database right now; please try again"


class ApiError(Exception):
    """An answer other than success: `body` with at least `error`."""

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers

    @classmethod
    def invalid_field(cls, field: str, message: str) -> "ApiError":
        """400 that names one field or parameter."""
        return cls(400, _invalid(InvalidRequest.from_fields([InvalidField(field, message)])))


class NotFound(ApiError):
    """Unknown or somebody else's: the same answer to the byte."""

    def __init__(self) -> None:
        super().__init__(404, {"error": "Not found"})


def json_response(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """JSON in plain ASCII: no text that came in can make it impossible to send."""
    content = json.dumps(body, separators=(",", ":")).encode()
    return Response(content, status, dict(headers or {}), media_type="application/json")


def install_error_handlers(app: FastAPI) -> None:
    """Give every kind of failure its answer."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(InvalidRequest, _invalid_request)
    app.add_exception_handler(RequestValidationError, _invalid_parameters)
    app.add_exception_handler(HTTPException, _framework_error)
    for undecided in (UnsupportedEvent, UnreadableMessage):
        app.add_exception_handler(undecided, _not_understood)
    for outage in (StoreError, *UNAVAILABLE_ERRORS):
        app.add_exception_handler(outage, _unavailable)


def _invalid(error: InvalidRequest) -> dict[str, Any]:
    fields = [{"field": bad.field, "message": bad.message} for bad in error.fields]
    return {"error": error.message} | ({"fields": fields} if fields else {})


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return json_response(error.status, error.body, error.headers)


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidRequest)
    return json_response(400, _invalid(error))


async def _invalid_parameters(request: Request, error: Exception) -> Response:
    """The framework's own checks of query parameters; the value itself is never repeated."""
    assert isinstance(error, RequestValidationError)
    problems: Sequence[Any] = error.errors()
    fields = [InvalidField(str(problem["loc"][-1]), _sentence(str(problem["msg"]))) for problem in problems]
    return json_response(400, _invalid(InvalidRequest.from_fields(fields)))


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:].replace("Input ", "")


async def _framework_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    texts = {404: "Not found", 405: "Method not allowed"}
    headers = dict(error.headers or {})
    if "GET" in headers.get("Allow", ""):
        headers["Allow"] += ", HEAD"
    return json_response(
        error.status_code, {"error": texts.get(error.status_code, str(error.detail))}, headers
    )


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("http.unavailable", error=type(error).__name__)
    return json_response(503, failure_body(request.scope, UNAVAILABLE), {"Retry-After": RETRY_AFTER})


async def _not_understood(request: Request, error: Exception) -> Response:
    newer = isinstance(error, UnsupportedEvent)
    log.error("http.undecided", error=type(error).__name__, detail=str(error))
    text = NEWER_EVENT if newer else UNREADABLE_EVENT
    code = "newer_event" if newer else "unreadable_event"
    return json_response(503, {"error": text, "code": code}, {"Retry-After": RETRY_AFTER_OPERATOR})


def mark_possibly_recorded(request: Request, advice: str, **ids: str) -> None:
    """From now on a failure of this request says that it may have been recorded, how to find it, and `advice`."""
    request.state.recorded = {"advice": advice, **ids}


def failure_body(scope: Scope, error: str) -> dict[str, Any]:
    """The body of an answer to a request that failed on our side."""
    recorded = dict(scope.get("state", {}).get("recorded", {}))
    if advice := recorded.pop("advice", ""):
        error = f"{error}. It is not known whether the request was recorded. {advice}"
    return {"error": error, **recorded}
