"""What states look like to clients: plain JSON values, under the names that front ends of the seed know."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from telecine_contracts.timestamps import format_timestamp
from telecine_gateway.content.signed_urls import SignedUrls

from .reader import GenerationState

__all__ = ["VideoSerializer", "serialize_event"]

_STATUS_TEXTS = {
    "PENDING": "Waiting for credits to be reserved",
    "SUBMITTING": "Handing the request to the video provider",
    "QUEUED": "Queued at the video provider",
    "RUNNING": "The video is being made",
    "SUCCEEDED": "The video is made and is being stored",
}
_ACCEPTED = "Accepted; about to be handed to the video provider"


class VideoSerializer:
    """Views that hold links to videos. Each takes the time at which it is asked for."""

    def __init__(self, links: SignedUrls) -> None:
        self._links = links

    def status(self, state: GenerationState, now: datetime) -> dict[str, Any]:
        """The answer of the status route, with the fields that each status has."""
        row, status = state.row, state.status
        head: dict[str, Any] = {"id": row.id, "taskId": row.id, "status": status}
        if row.provider_task_id:
            head["providerTaskId"] = row.provider_task_id
        match status:
            case "completed":
                return head | self._video(state, now, "videoUrl")
            case "failed":
                return head | {"error": state.error, "errorCode": state.error_code}
            case "cancelled":
                return head
            case _:
                return head | {"status": "processing"} | _progress(state, now)

    def record(self, state: GenerationState, now: datetime) -> dict[str, Any]:
        """A generation as history shows it."""
        row = state.row
        record = {
            "id": row.id,
            "type": "video",
            "kind": row.kind,
            "prompt": row.prompt,
            "imageUrl": row.image_url,
            "lastFrameUrl": row.last_frame_url,
            "taskId": row.id,
            "providerTaskId": row.provider_task_id,
            "resultUrl": None,
            "status": state.status,
            "error": state.error,
            "errorCode": state.error_code,
            "creditsUsed": state.credits_used,
            "metadata": _metadata(state),
            "bytes": row.bytes,
            "sha256": row.sha256,
            "width": row.width,
            "height": row.height,
            "createdAt": format_timestamp(row.requested_at),
            "updatedAt": format_timestamp(row.updated_at),
        }
        return record | (self._video(state, now, "resultUrl") if row.status == "completed" else {})

    def _video(self, state: GenerationState, now: datetime, name: str) -> dict[str, Any]:
        row = state.row
        if row.stopgap_url is not None:
            return {
                name: row.stopgap_url,
                "temporary": True,
                "expiresAt": format_timestamp(row.stopgap_expires_at),
            }
        return {name: self._links.sign(row.account, row.id, now)}


def _progress(state: GenerationState, now: datetime) -> dict[str, Any]:
    row = state.row
    word = (row.provider_status or "pending").upper()
    text = (
        _ACCEPTED
        if word == "PENDING" and state.charge
        else _STATUS_TEXTS.get(word, "The video is being made")
    )
    return {
        "taskStatus": word,
        "statusText": text,
        "elapsedSeconds": max(0, int((now - row.requested_at).total_seconds())),
    }


def _metadata(state: GenerationState) -> dict[str, Any]:
    row = state.row
    return {
        "duration": row.duration,
        "resolution": row.resolution,
        "watermark": row.watermark,
        "cameraFixed": row.camera_fixed,
        "ratio": row.ratio,
        "seed": row.seed,
        "model": row.model,
    }


def serialize_event(line: Mapping[str, Any]) -> dict[str, Any]:
    """One event of a timeline."""
    return {**line, "time": format_timestamp(line["time"])}
