"""A generation's row after one more event, for the projection and for reads of running generations."""

from typing import Any

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.projections.rows import new_row
from telecine_contracts.gateway import CancelRequested, GenerationRequested, VideoEvent, VideoParameters
from telecine_contracts.generation import (
    CancelDeclined,
    GenerationCancelled,
    GenerationFailed,
    GenerationProgressed,
    GenerationQueued,
    GenerationSubmitted,
    SubmissionStarted,
    VideoReady,
)
from telecine_contracts.storage import VideoStorageFailed, VideoStored

from .tables import GenerationRow

__all__ = ["ENDED", "apply_event"]

ENDED = frozenset({"completed", "failed", "cancelled"})
_OPTIONS = {"generate_audio", "references", "draft", "service_tier", "priority", "duration_chosen_by_model"}
_COLUMNS = tuple(VideoParameters.model_fields.keys() - _OPTIONS)
NOT_STORED = "The video could not be stored"


def apply_event(row: GenerationRow | None, recorded: RecordedEvent) -> GenerationRow | None:
    """The row after an event: changed in place, new for a request, None without a request.

    The status only ever goes pending → processing → completed | failed | cancelled.
    """
    event = recorded.event
    if isinstance(event, GenerationRequested):
        return _requested(event, recorded) if row is None else row
    if row is None or not isinstance(event, VideoEvent) or recorded.sequence <= row.sequence:
        return row
    row.sequence, row.updated_at = recorded.sequence, recorded.envelope.time
    if row.status in ENDED:
        if isinstance(event, VideoStored) and row.status == "completed":
            _stored(row, event)
        return row
    _apply(row, event)
    if row.status in ENDED:
        row.ended_at = recorded.envelope.time
    return row


def _requested(event: GenerationRequested, recorded: RecordedEvent) -> GenerationRow:
    return new_row(
        GenerationRow,
        id=event.generation,
        account=event.account,
        requested_sequence=recorded.sequence,
        sequence=recorded.sequence,
        requested_at=recorded.envelope.time,
        updated_at=recorded.envelope.time,
        status="pending",
        kind=event.kind.value,
        price=event.price.credits,
        price_table=event.price.table,
        options=_options(event.parameters),
        **{name: getattr(event.parameters, name) for name in _COLUMNS},
    )


def _options(parameters: VideoParameters) -> dict[str, Any] | None:
    if all(getattr(parameters, name) is None for name in _OPTIONS):
        return None
    return parameters.model_dump(mode="json", include=_OPTIONS, exclude_none=True)


def _apply(row: GenerationRow, event: VideoEvent) -> None:
    match event:
        case CancelRequested():
            row.cancel_requested = True
        case GenerationQueued():
            row.status, row.provider_status = "processing", "waiting"
        case SubmissionStarted():
            row.status, row.provider_status = "processing", "submitting"
        case GenerationSubmitted():
            row.status, row.provider_status = "processing", "queued"
            row.provider_task_id = event.provider_task_id
        case GenerationProgressed() | CancelDeclined():
            row.status, row.provider_status = "processing", event.provider_status
        case VideoReady():
            row.status, row.provider_status = "processing", "succeeded"
            row.provider_task_id = event.provider_task_id
            if row.options and row.options.get("duration_chosen_by_model") and event.duration is not None:
                row.duration = round(event.duration)
        case VideoStored():
            _stored(row, event)
        case VideoStorageFailed():
            _not_stored(row, event)
        case GenerationFailed():
            row.status, row.error, row.error_code = "failed", event.message, event.code.value
        case GenerationCancelled():
            row.status = "cancelled"


def _stored(row: GenerationRow, event: VideoStored) -> None:
    row.status = "completed"
    row.bucket, row.key = event.bucket, event.key
    row.bytes, row.sha256 = event.bytes, event.sha256
    row.width, row.height, row.seconds = event.width, event.height, event.duration
    row.stopgap_url = row.stopgap_expires_at = None


def _not_stored(row: GenerationRow, event: VideoStorageFailed) -> None:
    if event.stopgap_url is None:
        row.status, row.error, row.error_code = "failed", NOT_STORED, "video_not_stored"
        return
    row.status = "completed"
    row.stopgap_url, row.stopgap_expires_at = event.stopgap_url, event.stopgap_expires_at
