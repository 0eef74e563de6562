"""Volcano Ark's wire format: requests, records, lists, signed URLs. Pure."""

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import ValidationError
from pydantic_core import from_json

from telecine_contracts.characters import HYPHENS, INVISIBLE
from telecine_contracts.gateway import VideoParameters

from .ark_errors import ArkError, failure_code, rejection_outcome, sanitize_provider_text, user_message
from .ark_schemas import Created, ErrorBlock, Record, RecordList, Refusal, ResultUrls, TokenUsage
from .port import Accepted, Ambiguous, ProviderTask, SubmitOutcome, SubmitRequest

URL_LIFETIME = timedelta(hours=24)  # Ark: 24 h from success
MAX_RETRY_AFTER = 3600.0
MODEL_CHOOSES = -1
UNREADABLE_STATUS = "unreadable"
AMBIGUOUS_STATUSES = frozenset(
    {408, 409, 425}
)  # sent by proxies too; they do not prove that nothing was accepted

_TEXT_COMMAND = re.compile(
    rf"[{HYPHENS}](?:[{INVISIBLE}]*[{HYPHENS}])+(?=[\s{INVISIBLE}]*(?P<letter>[^\W\d_]))"
)


class UnreadableResponse(ValueError):
    """A response that differs from Ark's documentation."""


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
    # Everything that affects the price is sent explicitly, because Ark's defaults differ by model and region.
    wanted = request.parameters
    said: dict[str, Any] = {
        "model": request.model,
        "content": _content(wanted),
        "resolution": wanted.resolution,
        "ratio": wanted.ratio,
        "duration": MODEL_CHOOSES if wanted.duration_chosen_by_model else wanted.duration,
        "seed": request.seed,
        "watermark": wanted.watermark,
        "camera_fixed": wanted.camera_fixed,
        "generate_audio": bool(wanted.generate_audio),
        "draft": wanted.draft,
        "service_tier": wanted.service_tier,
        "priority": wanted.priority,
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
        return Accepted(Created.model_validate(read_json(body)).id)
    except ValueError:
        return Ambiguous("unreadable_answer")


def error_of(body: bytes) -> ArkError:
    """The error block of a response; empty if it has none."""
    try:
        error = Refusal.model_validate(read_json(body)).error
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
        return _task(Record.model_validate(read_json(body)))
    except ValidationError as error:
        raise UnreadableResponse("not a task") from error


def read_page(body: bytes) -> Page:
    """The page of a list response. Raises UnreadableResponse."""
    try:
        answer = RecordList.model_validate(read_json(body))
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


def _content(wanted: VideoParameters) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if wanted.prompt:
        items.append({"type": "text", "text": without_text_commands(wanted.prompt)})
    if wanted.image_url:
        items.append(_medium("image", wanted.image_url, "first_frame" if wanted.last_frame_url else None))
    if wanted.last_frame_url:
        items.append(_medium("image", wanted.last_frame_url, "last_frame"))
    items += [_medium(item.type, item.url, item.role) for item in wanted.references or ()]
    return items


def _medium(kind: str, url: str, role: str | None) -> dict[str, Any]:
    item: dict[str, Any] = {"type": f"{kind}_url", f"{kind}_url": {"url": url}}
    return item | {"role": role} if role else item


def _record(item: object) -> Record | None:
    try:
        return Record.model_validate(item)
    except ValidationError:
        return None


def _task(record: Record) -> ProviderTask:
    status = (record.status or "").strip().lower() or UNREADABLE_STATUS
    content, usage = record.content or ResultUrls(), record.usage or TokenUsage()
    error = record.error or record.failure_reason or ErrorBlock()
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
