"""Bodies of responses from the state of a generation."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from telecine_gateway.content.signed_urls import SignedUrls

from .reader import GenerationState
from .schemas import Metadata, Record, RecordWithEvents, StatusBody, TimelineEvent

__all__ = ["VideoSerializer"]

_STATUS_TEXTS = {
    "PENDING": "Waiting for credits to be reserved",
    "WAITING": "Waiting for a place at the video provider",
    "SUBMITTING": "Handing the request to the video provider",
    "QUEUED": "Queued at the video provider",
    "RUNNING": "The video is being made",
    "SUCCEEDED": "The video is made and is being stored",
}
"""`statusText` by `taskStatus`."""
_ACCEPTED = "Accepted; about to be handed to the video provider"


class VideoSerializer:
    """Makes bodies with signed links to the videos. `now` is the time of the request."""

    def __init__(self, links: SignedUrls) -> None:
        self._links = links

    def status(self, state: GenerationState, now: datetime, position: int | None = None) -> StatusBody:
        """The body of the status route; each status has fields of its own. `position`: in the dispatch queue."""
        row, status = state.row, state.status
        fields: dict[str, Any] = {"id": row.id, "task_id": row.id, "status": status}
        if row.provider_task_id:
            fields["provider_task_id"] = row.provider_task_id
        match status:
            case "completed":
                fields |= self._video(state, now, "video_url")
            case "failed":
                fields |= {"error": state.error, "error_code": state.error_code}
            case "cancelled":
                pass
            case _:
                fields |= {"status": "processing"} | _progress(state, now)
                if position is not None:
                    fields["queue_position"] = position
        return StatusBody(**fields)

    def record(self, state: GenerationState, now: datetime) -> Record:
        """A generation as history shows it."""
        return Record(**self._record(state, now))

    def record_with_events(
        self,
        state: GenerationState,
        events: Sequence[Mapping[str, Any]],
        now: datetime,
        position: int | None = None,
    ) -> RecordWithEvents:
        """A generation with its timeline. `position`: in the dispatch queue."""
        fields = self._record(state, now) | ({} if position is None else {"queue_position": position})
        return RecordWithEvents(**fields, events=[TimelineEvent(**event) for event in events])

    def _record(self, state: GenerationState, now: datetime) -> dict[str, Any]:
        row = state.row
        fields = {
            "id": row.id,
            "type": "video",
            "kind": row.kind,
            "prompt": row.prompt,
            "image_url": row.image_url,
            "last_frame_url": row.last_frame_url,
            "task_id": row.id,
            "provider_task_id": row.provider_task_id,
            "result_url": None,
            "status": state.status,
            "error": state.error,
            "error_code": state.error_code,
            "credits_used": state.credits_used,
            "metadata": _metadata(state),
            "bytes": row.bytes,
            "sha256": row.sha256,
            "width": row.width,
            "height": row.height,
            "created_at": row.requested_at,
            "updated_at": row.updated_at,
        }
        return fields | (self._video(state, now, "result_url") if row.status == "completed" else {})

    def _video(self, state: GenerationState, now: datetime, field: str) -> dict[str, Any]:
        row = state.row
        if row.stopgap_url is not None:
            return {field: row.stopgap_url, "temporary": True, "expires_at": row.stopgap_expires_at}
        return {field: self._links.sign(row.account, row.id, now)}


def _progress(state: GenerationState, now: datetime) -> dict[str, Any]:
    row = state.row
    word = (row.provider_status or "pending").upper()
    text = (
        _ACCEPTED
        if word == "PENDING" and state.charge
        else _STATUS_TEXTS.get(word, "The video is being made")
    )
    return {
        "task_status": word,
        "status_text": text,
        "elapsed_seconds": max(0, int((now - row.requested_at).total_seconds())),
    }


def _metadata(state: GenerationState) -> Metadata:
    row = state.row
    return Metadata(
        duration=row.duration,
        resolution=row.resolution,
        watermark=row.watermark,
        camera_fixed=row.camera_fixed,
        ratio=row.ratio,
        seed=row.seed,
        model=row.model,
        **(row.options or {}),
    )
