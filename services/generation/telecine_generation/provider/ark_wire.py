"""Volcano Ark's wire format: requests, records, lists, signed URLs. Pure."""

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

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
from pydantic_core import from_json

from telecine_contracts.characters import HYPHENS, INVISIBLE

from .ark_errors import ArkError, failure_code, rejection_outcome, sanitize_provider_text, user_message
from .port import Accepted, Ambiguous, ProviderTask, SubmitOutcome, SubmitRequest

URL_LIFETIME = timedelta(hours=24)  # Ark: 24 h from success
MAX_RETRY_AFTER = 3600.0
UNREADABLE_STATUS = "unreadable"
AMBIGUOUS_STATUSES = frozenset(
    {408, 409, 425}
)  # sent by proxies too; they do not prove that nothing was accepted

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(3000, 1, 1, tzinfo=UTC)
_TEXT_COMMAND = re.compile(
    rf"[{HYPHENS}](?:[{INVISIBLE}]*[{HYPHENS}])+(?=[\s{INVISIBLE}]*(?P<letter>[^\W\d_]))"
)


class UnreadableResponse(ValueError):
    """A response that differs from Ark's documentation."""


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


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", protected_namespaces=(), hide_input_in_errors=True)


class _Error(_Wire):
    code: _Word = None
    message: _Text = None


class _Content(_Wire):
    video_url: _Url = None
    last_frame_url: _Url = None


class _Usage(_Wire):
    total_tokens: _Count = None
    completion_tokens: _Count = None


class _Record(_Wire):
    id: _TaskId
    status: _Word = None
    model: _Word = None
    seed: _Seed = None
    safety_identifier: _Word = None
    created_at: _Time = None
    updated_at: _Time = None
    content: Annotated[_Content | None, _Lenient] = None
    error: Annotated[_Error | None, _Lenient] = None
    failure_reason: Annotated[_Error | None, _Lenient] = None  # the Go SDK's name for it, in lists only
    usage: Annotated[_Usage | None, _Lenient] = None
    resolution: _Word = None
    ratio: _Word = None
    duration: _Seconds = None


class _Created(_Wire):
    id: _TaskId


class _List(_Wire):
    total: _Count = None
    items: list[Any] | None = None
    error: Any = None

    @model_validator(mode="after")
    def _is_a_list(self) -> "_List":
        # A Go server writes an empty slice as null or omits it. This means "no task" only with a total of 0 and
        # without an error beside it.
        if self.error or (self.items is None and self.total != 0):
            raise ValueError("an error, or no items though total is not 0")
        return self


class _Refusal(_Wire):
    error: Annotated[_Error | None, _Lenient] = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the provider's list. `unreadable`: number of items without a valid task id."""

    total: int | None
    tasks: tuple[ProviderTask, ...]
    unreadable: int

    @property
    def size(self) -> int:
        """Number of items, readable or not."""
        return len(self.tasks) + self.unreadable


def create_body(request: SubmitRequest) -> dict[str, Any]:
    """The body of a create call, without null fields."""
    # Everything that affects the price is sent explicitly, because Ark's defaults differ by model.
    said: dict[str, Any] = {
        "model": request.model,
        "content": _content(request),
        "resolution": request.resolution,
        "ratio": request.ratio,
        "duration": request.duration,
        "seed": request.seed,
        "watermark": request.watermark,
        "camera_fixed": request.camera_fixed,
        "generate_audio": request.generate_audio,
        "safety_identifier": request.safety_identifier,
        "callback_url": request.callback_url,
        "execution_expires_after": request.expires_after,
    }
    return {name: value for name, value in said.items() if value is not None}


def without_text_commands(prompt: str) -> str:
    """The prompt without the flags that Ark would obey (`--resolution 1080p`): two hyphens become a dash.

    Also with invisible characters between the hyphens, with other Unicode hyphens, and before letters that some
    parsers normalise to a to z.
    """
    return _TEXT_COMMAND.sub(lambda found: "—" if _is_latin(found["letter"]) else found[0], prompt)


def _is_latin(letter: str) -> bool:
    return re.match("[a-zı]", unicodedata.normalize("NFKC", letter).casefold()) is not None


def create_outcome(status: int, headers: Mapping[str, str], body: bytes) -> SubmitOutcome:
    """The outcome of a create call."""
    if status >= 500 or status in AMBIGUOUS_STATUSES:
        return Ambiguous(f"http_{status}")
    if status >= 400 or status in (301, 302, 307, 308):
        return rejection_outcome(status, error_of(body), retry_after(headers))
    try:
        return Accepted(_Created.model_validate(read_json(body)).id)
    except ValueError:
        return Ambiguous("unreadable_answer")


def error_of(body: bytes) -> ArkError:
    """The error block of a response; empty if it has none."""
    try:
        error = _Refusal.model_validate(read_json(body)).error
    except ValueError:
        error = None
    return ArkError(error.code, error.message) if error else ArkError()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from the Retry-After header, at most an hour. Its date form is ignored, because clocks differ."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(seconds, MAX_RETRY_AFTER) if seconds >= 0 and math.isfinite(seconds) else None


def read_task(body: bytes) -> ProviderTask:
    """The task of a get response. Raises UnreadableResponse."""
    try:
        return _task(_Record.model_validate(read_json(body)))
    except ValidationError as error:
        raise UnreadableResponse("not a task") from error


def read_page(body: bytes) -> Page:
    """The page of a list response. Raises UnreadableResponse."""
    try:
        answer = _List.model_validate(read_json(body))
    except ValidationError as error:
        raise UnreadableResponse("not a list of tasks") from error
    items = answer.items or []
    records = [record for item in items if (record := _record(item)) is not None]
    return Page(answer.total, tuple(map(_task, records)), len(items) - len(records))


def read_json(body: bytes) -> Any:
    """The parsed JSON. Raises UnreadableResponse."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise UnreadableResponse("not JSON") from error


def url_expiry(url: str, updated_at: datetime | None) -> datetime | None:
    """Expiry of a signed result URL: from its query, else 24 h after the last change; None if both are missing."""
    try:
        query = parse_qs(urlsplit(url).query)
        signed_at = datetime.strptime(query["X-Tos-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return signed_at + timedelta(seconds=int(query["X-Tos-Expires"][0]))
    except (KeyError, ValueError, OverflowError):
        return updated_at + URL_LIFETIME if updated_at else None


def _content(request: SubmitRequest) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if request.prompt:
        items.append({"type": "text", "text": without_text_commands(request.prompt)})
    if request.image_url:
        items.append(_image(request.image_url, "first_frame" if request.last_frame_url else None))
    if request.last_frame_url:
        items.append(_image(request.last_frame_url, "last_frame"))
    return items


def _image(url: str, role: str | None) -> dict[str, Any]:
    item: dict[str, Any] = {"type": "image_url", "image_url": {"url": url}}
    return item | {"role": role} if role else item


def _record(item: object) -> _Record | None:
    try:
        return _Record.model_validate(item)
    except ValidationError:
        return None


def _task(record: _Record) -> ProviderTask:
    status = (record.status or "").strip().lower() or UNREADABLE_STATUS
    content, usage = record.content or _Content(), record.usage or _Usage()
    error = record.error or record.failure_reason or _Error()
    failure = failure_code(error.code, error.message) if status == "failed" else None
    return ProviderTask(
        task_id=record.id,
        status=status,
        model=record.model,
        seed=record.seed,
        safety_identifier=record.safety_identifier,
        created_at=record.created_at,
        updated_at=record.updated_at,
        video_url=content.video_url,
        video_url_expires_at=url_expiry(content.video_url, record.updated_at) if content.video_url else None,
        last_frame_url=content.last_frame_url,
        error_code=error.code,
        error_message=sanitize_provider_text(error.message),
        resolution=record.resolution,
        ratio=record.ratio,
        duration=record.duration,
        total_tokens=usage.completion_tokens if usage.total_tokens is None else usage.total_tokens,
        failure_code=failure,
        failure_message=user_message(failure, error.message) if failure else None,
    )
