"""Volcano Ark's response bodies. Pure."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(3000, 1, 1, tzinfo=UTC)


def _none_if_invalid(value: object, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None or not _EARLIEST < value < _LATEST:
        raise ValueError("no time zone, or not a plausible time for a task")
    return value.astimezone(UTC)


# One invalid field must not hide the rest of a record, nor one invalid record the rest of a list.
_Lenient = WrapValidator(_none_if_invalid)
_Word = Annotated[str | None, Field(max_length=256), _Lenient]
_Text = Annotated[str | None, _Lenient]
_Url = Annotated[str | None, Field(max_length=8192), _Lenient]
_Count = Annotated[int | None, Field(ge=0), _Lenient]
_Seed = Annotated[int | None, Field(ge=-1, lt=2**32), _Lenient]
_Seconds = Annotated[float | None, Field(gt=0, lt=86_400, allow_inf_nan=False), _Lenient]
# Ark sends whole Unix seconds. Proxies and compatible servers also send fractions, milliseconds, text and RFC 3339.
_Time = Annotated[datetime | None, AfterValidator(_in_utc), _Lenient]
_TaskId = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[!-~]+$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", protected_namespaces=(), hide_input_in_errors=True)


class ErrorBlock(_Model):
    """The error of a response or of a failed task."""

    code: _Word = None
    message: _Text = None


class ResultUrls(_Model):
    """The signed URLs of a succeeded task."""

    video_url: _Url = None
    last_frame_url: _Url = None


class TokenUsage(_Model):
    """What a task is billed as."""

    total_tokens: _Count = None
    completion_tokens: _Count = None


class Record(_Model):
    """A task, as get and list return it."""

    id: _TaskId
    status: _Word = None
    model: _Word = None
    seed: _Seed = None
    safety_identifier: _Word = None
    created_at: _Time = None
    updated_at: _Time = None
    content: Annotated[ResultUrls | None, _Lenient] = None
    error: Annotated[ErrorBlock | None, _Lenient] = None
    failure_reason: Annotated[ErrorBlock | None, _Lenient] = None  # the Go SDK's name for it, in lists only
    usage: Annotated[TokenUsage | None, _Lenient] = None
    resolution: _Word = None
    ratio: _Word = None
    duration: _Seconds = None


class Created(_Model):
    """The body of a successful create."""

    id: _TaskId


class RecordList(_Model):
    """The body of a list response."""

    total: _Count = None
    items: list[Any] | None = None
    error: Any = None

    @model_validator(mode="after")
    def _is_a_list(self) -> "RecordList":
        # A Go server writes an empty slice as null or omits it. This means "no task" only with a total of 0 and
        # without an error beside it.
        if self.error or (self.items is None and self.total != 0):
            raise ValueError("an error, or no items though total is not 0")
        return self


class Refusal(_Model):
    """The body of an error response."""

    error: Annotated[ErrorBlock | None, _Lenient] = None
