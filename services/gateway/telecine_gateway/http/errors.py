"""Errors of the API, and the response to each: JSON with `error` for people and `code` for programs.

InvalidRequest   rules found invalid fields                      400
ApiError         any other response than a success               its own status
  NotFound       an unknown id, or another account's             404
StoreError, database errors: something behind us is unavailable  503
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Scope

from telecine_chassis.eventstore.port import StoreError, UnreadableMessage, UnsupportedEvent
from telecine_chassis.projections.availability import UNAVAILABLE_ERRORS

from .schemas import BadFieldBody, ErrorBody, ErrorCode

__all__ = [
    "ApiError",
    "InvalidField",
    "InvalidRequest",
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
"""Seconds, where an operator has to act first."""
NEWER_EVENT = (
    "A newer version of the service has written about this; nothing was changed. Try again after the upgrade"
)
UNREADABLE_EVENT = (
    "A recorded event about this is unreadable; nothing was changed, and the operator is alerted"
)
UNAVAILABLE = "The service can't reach its event store or database right now; please try again"


@dataclass(frozen=True, slots=True)
class InvalidField:
    """One invalid field, by its name in the request, and why."""

    field: str
    message: str


class InvalidRequest(ValueError):
    """The request is invalid. `message` is for the user; `fields` names every invalid field at once."""

    def __init__(self, message: str, fields: Sequence[InvalidField] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.fields = tuple(fields)

    @classmethod
    def from_fields(cls, fields: Sequence[InvalidField], *, first: str = "") -> "InvalidRequest":
        """One sentence over several invalid fields; `first` comes before them."""
        sentences = [first] if first else []
        return cls("; ".join(sentences + [f"{bad.field} {bad.message}" for bad in fields]), fields)

    @property
    def body(self) -> ErrorBody:
        """The body of the response."""
        if not self.fields:
            return ErrorBody(error=self.message, code=ErrorCode.INVALID)
        fields = [BadFieldBody(field=bad.field, message=bad.message) for bad in self.fields]
        return ErrorBody(error=self.message, code=ErrorCode.INVALID, fields=fields)


class ApiError(Exception):
    """A response other than a success. `details` are further fields of ErrorBody."""

    def __init__(
        self,
        status: int,
        code: ErrorCode,
        error: str,
        headers: Mapping[str, str] | None = None,
        /,
        **details: Any,
    ) -> None:
        super().__init__(status, code)
        self.status = status
        self.body = ErrorBody(error=error, code=code, **details)
        self.headers = headers

    @classmethod
    def invalid_field(cls, field: str, message: str) -> "ApiError":
        """400 that names one field or parameter."""
        invalid = [BadFieldBody(field=field, message=message)]
        return cls(400, ErrorCode.INVALID, f"{field} {message}", fields=invalid)


class NotFound(ApiError):
    """An unknown id, or another account's: identical bodies, which would otherwise reveal which ids exist."""

    def __init__(self) -> None:
        super().__init__(404, ErrorCode.NOT_FOUND, "Not found")


def json_response(
    status: int, body: BaseModel | Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """JSON in ASCII, so that no text can fail to encode. Of a model, the fields that were set."""
    if isinstance(body, BaseModel):
        text = body.model_dump_json(by_alias=True, exclude_unset=True, ensure_ascii=True)
    else:
        text = json.dumps(body, separators=(",", ":"))
    return Response(text.encode(), status, dict(headers or {}), media_type="application/json")


def install_error_handlers(app: FastAPI) -> None:
    """Answer every kind of error."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(InvalidRequest, _invalid_request)
    app.add_exception_handler(RequestValidationError, _invalid_parameters)
    app.add_exception_handler(HTTPException, _framework_error)
    for undecodable in (UnsupportedEvent, UnreadableMessage):
        app.add_exception_handler(undecodable, _not_understood)
    for outage in (StoreError, *UNAVAILABLE_ERRORS):
        app.add_exception_handler(outage, _unavailable)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return json_response(error.status, error.body, error.headers)


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidRequest)
    return json_response(400, error.body)


async def _invalid_parameters(request: Request, error: Exception) -> Response:
    """The framework's own checks of query parameters; the value itself is never repeated."""
    assert isinstance(error, RequestValidationError)
    problems: Sequence[Any] = error.errors()
    fields = [InvalidField(str(problem["loc"][-1]), _sentence(str(problem["msg"]))) for problem in problems]
    return json_response(400, InvalidRequest.from_fields(fields).body)


def _sentence(message: str) -> str:
    return message[:1].lower() + message[1:].replace("Input ", "")


_FRAMEWORK_ERRORS = {
    404: (ErrorCode.NOT_FOUND, "Not found"),
    405: (ErrorCode.METHOD_NOT_ALLOWED, "Method not allowed"),
}


async def _framework_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, text = _FRAMEWORK_ERRORS.get(error.status_code, (ErrorCode.INVALID, str(error.detail)))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed_methods(request, headers.get("Allow", "")))
    return json_response(error.status_code, ErrorBody(error=text, code=code), headers)


def _allowed_methods(request: Request, of_route: str) -> list[str]:
    """Those of every route at the request's path; the framework names those of the first."""
    path = getattr(request.scope.get("route"), "path", "")
    documented = request.app.openapi()["paths"].get(path, {})
    methods = {*map(str.strip, of_route.split(",")), *map(str.upper, documented)} - {""}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("http.unavailable", error=type(error).__name__)
    body = failure_body(request.scope, ErrorCode.UNAVAILABLE, UNAVAILABLE)
    return json_response(503, body, {"Retry-After": RETRY_AFTER})


async def _not_understood(request: Request, error: Exception) -> Response:
    newer = isinstance(error, UnsupportedEvent)
    log.error("http.undecided", error=type(error).__name__, detail=str(error))
    text, code = NEWER_EVENT, ErrorCode.NEWER_EVENT
    if not newer:
        text, code = UNREADABLE_EVENT, ErrorCode.UNREADABLE_EVENT
    return json_response(503, ErrorBody(error=text, code=code), {"Retry-After": RETRY_AFTER_OPERATOR})


def mark_possibly_recorded(request: Request, advice: str, **ids: str) -> None:
    """Add to every later failure of this request that it may have been recorded, under which `ids`, and `advice`."""
    request.state.recorded = {"advice": advice, **ids}


def failure_body(scope: Scope, code: ErrorCode, error: str, **details: Any) -> ErrorBody:
    """The body of the response to a request that failed on our side."""
    recorded = dict(scope.get("state", {}).get("recorded", {}))
    if advice := recorded.pop("advice", ""):
        error = f"{error}. It is not known whether the request was recorded. {advice}"
    return ErrorBody(error=error, code=code, **recorded, **details)
