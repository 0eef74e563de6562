"""Bodies of the routes for videos."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from telecine_gateway.documentation.schemas import response_links
from telecine_gateway.domain import Status
from telecine_gateway.http.schemas import ErrorCode, ResponseBody, Timestamp

from .request.schemas import ReferenceBody

__all__ = [
    "GENERATION_LINKS",
    "Accepted",
    "CancelBody",
    "History",
    "InsufficientCredits",
    "Pending",
    "Record",
    "RecordWithEvents",
    "StatusBody",
]

_ID = "3f2b8c1e-5d0a-4b57-9d55-0a4c1f6e7b21"
_PROVIDER_TASK = "cgt-20261123040506-9lklw"


GENERATION_LINKS = response_links(
    ("status", {"taskId": "$response.body#/taskId", "historyId": "$response.body#/id"}),
    ("record", {"id": "$response.body#/id"}),
    ("video", {"id": "$response.body#/id"}),
    ("cancel", {"id": "$response.body#/id"}),
)
"""From a generation's id to the routes that follow it."""


class Accepted(ResponseBody):
    """The credits are reserved and the generation goes on; `id` is also the history id."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": _ID,
        "taskId": _ID,
        "status": "processing",
        "remainingCredits": 250,
    }

    id: str
    task_id: str
    status: Literal["processing"]
    remaining_credits: int


class Pending(ResponseBody):
    """The request is recorded; whether it is paid for is not known yet."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"id": _ID, "taskId": _ID, "status": "pending"}

    id: str
    task_id: str
    status: Literal["pending"]


class LimitBody(ResponseBody):
    """A spend limit that was reached, in credits."""

    scope: Annotated[Literal["account", "api_key"], Field(description="Whose limit it is")]
    per: Annotated[Literal["day", "generation"], Field(description="What it counts over; a day of UTC")]
    limit: int
    used: Annotated[int, Field(description="Reserved or spent under it so far, without this generation")]


class InsufficientCredits(ResponseBody):
    """The balance is too low, or a spend limit is reached; nothing was taken."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "error": "Insufficient credits",
        "code": "insufficient_credits",
        "creditsNeeded": 50,
        "remainingCredits": 30,
    }

    error: str
    code: Literal[ErrorCode.INSUFFICIENT_CREDITS, ErrorCode.SPEND_LIMIT]
    credits_needed: int
    remaining_credits: int
    limit: Annotated[LimitBody | None, Field(description="Only where a spend limit is the reason")] = None


class StatusBody(ResponseBody):
    """A generation's status; which of the optional fields are there depends on it."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "id": _ID,
        "taskId": _ID,
        "status": "processing",
        "providerTaskId": _PROVIDER_TASK,
        "taskStatus": "RUNNING",
        "statusText": "The video is being made",
        "elapsedSeconds": 45,
    }

    id: str
    task_id: str
    status: Status
    provider_task_id: str | None = None
    task_status: Annotated[str | None, Field(description="The provider's word, while running")] = None
    status_text: str | None = None
    queue_position: Annotated[
        int | None,
        Field(
            ge=1,
            description="Its place in the queue for the provider; 1 is next",
        ),
    ] = None
    elapsed_seconds: int | None = None
    video_url: str | None = None
    temporary: Annotated[bool | None, Field(description="True: the provider's own URL, until expiresAt")] = (
        None
    )
    expires_at: Timestamp | None = None
    error: str | None = None
    error_code: str | None = None


class Metadata(ResponseBody):
    """What the provider was asked for."""

    duration: int
    resolution: str
    watermark: bool
    camera_fixed: bool | None
    ratio: str | None
    seed: int | None
    model: str
    generate_audio: Annotated[bool | None, Field(description="Only for models that make sound")] = None
    references: Annotated[list[ReferenceBody] | None, Field(description="Only where it has some")] = None
    draft: Annotated[bool | None, Field(description="Only for drafts")] = None
    service_tier: Annotated[str | None, Field(description="Only if it is not the default")] = None
    priority: Annotated[int | None, Field(description="Only if it was requested")] = None
    duration_chosen_by_model: Annotated[
        bool | None, Field(description="Only if true; duration is the longest until the length is known")
    ] = None


_RECORD: dict[str, Any] = {
    "id": _ID,
    "type": "video",
    "kind": "text-to-video",
    "prompt": "A lighthouse in a storm, filmed from a boat",
    "imageUrl": None,
    "lastFrameUrl": None,
    "taskId": _ID,
    "providerTaskId": _PROVIDER_TASK,
    "resultUrl": f"https://telecine.example/api/video/{_ID}/content?account=acme&expires=1796000000&signature=6f…",
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


class Record(ResponseBody):
    """A generation as history shows it."""

    EXAMPLE: ClassVar[dict[str, Any]] = _RECORD

    id: str
    type: Literal["video"]
    kind: Annotated[
        Literal["text-to-video", "image-to-video"],
        Field(description="image-to-video: from images, or from references of any type"),
    ]
    prompt: str | None
    image_url: str | None
    last_frame_url: str | None
    task_id: str
    provider_task_id: str | None
    result_url: str | None
    temporary: bool | None = None
    expires_at: Timestamp | None = None
    status: Status
    error: str | None
    error_code: str | None
    credits_used: Annotated[int, Field(description="Held or spent; given back counts as 0")]
    metadata: Metadata
    bytes: int | None
    sha256: str | None
    width: int | None
    height: int | None
    created_at: Timestamp
    updated_at: Timestamp


class TimelineEvent(ResponseBody):
    """One event of a generation or of its payment."""

    type: str
    stream: Literal["VIDEO", "LEDGER"]
    sequence: Annotated[
        int,
        Field(
            ge=1,
            description="On VIDEO: number within the generation; on LEDGER: number of the account's entry",
        ),
    ]
    time: Timestamp
    data: dict[str, Any]


class RecordWithEvents(Record):
    """A generation with everything that happened to it."""

    EXAMPLE: ClassVar[dict[str, Any]] = _RECORD | {
        "events": [
            {
                "type": "credits.debited.v1",
                "stream": "LEDGER",
                "sequence": 2,
                "time": "2026-11-23T04:05:06.792Z",
                "data": {"amount": 50, "balances": {"available": 250, "held": 50}},
            }
        ]
    }

    queue_position: Annotated[
        int | None, Field(ge=1, description="Its place in the queue for the provider; 1 is next")
    ] = None
    events: list[TimelineEvent]


class History(ResponseBody):
    """A page of generations, newest first. Without nextCursor it is the last one."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "items": [_RECORD],
        "nextCursor": "Aq_kD1vLm8k4m0Zl2vI3b6cR9o5tUq7xW1yE0nHsJdPgTfCwBiXaGzVuNyMrQpKhO",
    }

    items: list[Record]
    next_cursor: str | None


class CancelBody(ResponseBody):
    """The outcome of a cancel."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"id": _ID, "status": "cancelled", "cancel": "cancelled"}

    id: str
    status: Status
    cancel: Literal["cancelled", "requested", "already_finished"]
    message: str | None = None
    error: str | None = None
    code: Literal[ErrorCode.GENERATION_ENDED] | None = None
