"""What all bodies of the API share: Python names inside, camelCase on the wire; and the body of every error."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from telecine_contracts.timestamps import format_timestamp
from telecine_gateway.domain import Status

__all__ = [
    "BadFieldBody",
    "ErrorBody",
    "ErrorCode",
    "RequestBody",
    "ResponseBody",
    "Timestamp",
]

Timestamp = Annotated[datetime, PlainSerializer(format_timestamp, return_type=str)]
"""A time in a response: RFC 3339 in UTC, to the millisecond."""


class RequestBody(BaseModel):
    """The body of a request. A field that the model does not have is an error, and no value is ever repeated."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    @classmethod
    def unknown_field_message(cls) -> str:
        """What an error says of a field that the body does not have; it follows the field's name."""
        names = ", ".join(field.alias or name for name, field in cls.model_fields.items())
        return f"is not a field of this request, which has {names}"


class ResponseBody(BaseModel):
    """The body of a response. A field that was never set is left out; one that was set to None is null."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class ErrorCode(StrEnum):
    """Why a request failed: a closed list, safe to switch on."""

    INVALID = "invalid"
    UNAUTHORIZED = "unauthorized"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    SPEND_LIMIT = "spend_limit"
    MISSING_SCOPE = "missing_scope"
    INVALID_ACCOUNT = "invalid_account"
    INVALID_LINK = "invalid_link"
    ACCOUNT_CLOSED = "account_closed"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    REQUEST_TIMEOUT = "request_timeout"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    QUOTE_EXPIRED = "quote_expired"
    QUOTE_MISMATCH = "quote_mismatch"
    REFERENCE_CONFLICT = "reference_conflict"
    BALANCE_TOO_LARGE = "balance_too_large"
    NOT_CORRECTABLE = "not_correctable"
    NOT_SKIPPABLE = "not_skippable"
    TOO_MANY_KEYS = "too_many_keys"
    KEY_EXPIRY = "key_expiry"
    GENERATION_ENDED = "generation_ended"
    NOT_COMPLETED = "not_completed"
    NO_VIDEO = "no_video"
    PRECONDITION_FAILED = "precondition_failed"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    TOO_MANY_DOWNLOADS = "too_many_downloads"
    RATE_LIMITED = "rate_limited"
    HEADER_TOO_LARGE = "header_too_large"
    INTERNAL_ERROR = "internal_error"
    NOT_SUPPORTED = "not_supported"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    UNAVAILABLE = "unavailable"
    NEWER_EVENT = "newer_event"
    UNREADABLE_EVENT = "unreadable_event"


class BadFieldBody(ResponseBody):
    """One invalid field of a body, or one invalid parameter."""

    field: str
    message: str


class ErrorBody(ResponseBody):
    """The body of every response other than a success."""

    error: Annotated[str, Field(description="What is wrong and what to do, for people")]
    code: Annotated[ErrorCode, Field(description="Why, for programs")]
    fields: list[BadFieldBody] | None = None
    scope: Annotated[str | None, Field(description="The scope that the key lacks")] = None
    status: Annotated[
        Status | None,
        Field(description="The generation's status, where it is the reason"),
    ] = None
    id: Annotated[
        str | None, Field(description="The generation, where the request may have been recorded")
    ] = None
    task_id: Annotated[str | None, Field(description="The same id")] = None
    request_id: Annotated[str | None, Field(description="Of an internal error: see the service's log")] = None
    type: Annotated[str | None, Field(description="The problem type (RFC 9457), of a limit")] = None
    violated_policies: Annotated[
        list[str] | None,
        Field(alias="violated-policies", description="The limits, as RateLimit-Policy names them"),
    ] = None
