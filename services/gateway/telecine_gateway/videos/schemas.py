"""Bodies of the routes for videos."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from telecine_contracts.gateway import Kind, VideoParameters
from telecine_contracts.video_models import MODELS, VideoModel
from telecine_gateway.documentation.schemas import BLANK, LINES, NOT_BLANK, URL, response_links
from telecine_gateway.domain import Status
from telecine_gateway.http.schemas import ErrorCode, RequestBody, ResponseBody, Timestamp
from telecine_gateway.http.validation import validate_body

from .image_url import MAX_URL
from .request_rules import (
    MAX_PROMPT,
    MAX_QUOTE,
    MAX_SEED,
    RequestRules,
    check_camera_fixed,
    check_duration,
    check_image_url,
    check_last_frame,
    check_model,
    check_prompt,
    check_quote,
    check_ratio,
    check_resolution,
    check_seed,
    check_watermark,
    is_blank,
)

__all__ = [
    "GENERATION_LINKS",
    "Accepted",
    "CancelBody",
    "GenerateBody",
    "History",
    "InsufficientCredits",
    "Pending",
    "Record",
    "RecordWithEvents",
    "StatusBody",
]

PROMPT_OR_IMAGE_REQUIRED = "Either prompt or imageUrl is required"
"""The seed's front ends know this sentence; other invalid fields are named behind it."""
_ID = "3f2b8c1e-5d0a-4b57-9d55-0a4c1f6e7b21"
_PROVIDER_TASK = "cgt-20261123040506-9lklw"


GENERATION_LINKS = response_links(
    ("status", {"taskId": "$response.body#/taskId", "historyId": "$response.body#/id"}),
    ("record", {"id": "$response.body#/id"}),
    ("video", {"id": "$response.body#/id"}),
    ("cancel", {"id": "$response.body#/id"}),
)
"""From a generation's id to the routes that follow it."""


class GenerateBody(RequestBody):
    """A text-to-video request needs a prompt, an image-to-video request an imageUrl. A null counts as absent."""

    model_config = ConfigDict(validate_default=True)
    EXAMPLES: ClassVar[dict[str, dict[str, Any]]] = {
        "text-to-video": {
            "prompt": "A lighthouse in a storm, filmed from a boat",
            "resolution": "720p",
            "duration": 5,
        },
        "image-to-video": {
            "prompt": "The cat turns its head",
            "imageUrl": "https://images.example.com/cat.jpg",
            "cameraFixed": True,
        },
    }

    model: Annotated[
        str | None, BeforeValidator(check_model), Field(description="One of the installation's models")
    ] = None
    prompt: Annotated[
        Annotated[str, Field(json_schema_extra={"maxLength": MAX_PROMPT, "pattern": LINES})] | None,
        BeforeValidator(check_prompt),
        Field(description="What the video shows; with an image, how it moves"),
    ] = None
    image_url: Annotated[
        Annotated[str, Field(json_schema_extra={"maxLength": MAX_URL, "pattern": URL})] | None,
        BeforeValidator(check_image_url),
        Field(description="Public http(s) URL of the first frame"),
    ] = None
    last_frame_url: Annotated[
        Annotated[str, Field(json_schema_extra={"maxLength": MAX_URL, "pattern": URL})] | None,
        BeforeValidator(check_last_frame),
        Field(description="Public http(s) URL of the last frame; needs imageUrl"),
    ] = None
    resolution: Annotated[
        Literal["480p", "720p", "1080p"] | None,
        BeforeValidator(check_resolution),
        Field(description="720p if absent"),
    ] = None
    duration: Annotated[
        int | None,
        BeforeValidator(check_duration),
        Field(description="Whole seconds; 5 if absent; the model sets the range"),
    ] = None
    watermark: Annotated[
        bool | None,
        BeforeValidator(check_watermark),
        Field(description="Mark the video as made by a machine"),
    ] = None
    camera_fixed: Annotated[
        bool | None,
        BeforeValidator(check_camera_fixed),
        Field(description="Keep the camera still, where the model can"),
    ] = None
    ratio: Annotated[
        str | None,
        BeforeValidator(check_ratio),
        Field(description="16:9, 4:3, 1:1, 3:4, 9:16, 21:9, or adaptive where the model can"),
    ] = None
    seed: Annotated[
        Annotated[int, Field(ge=-1, le=MAX_SEED)] | None,
        BeforeValidator(check_seed),
        Field(description="-1 for any"),
    ] = None
    quote: Annotated[
        Annotated[str, Field(json_schema_extra={"maxLength": MAX_QUOTE})] | None,
        BeforeValidator(check_quote),
        Field(description="From POST /api/quotes: the request is charged exactly what was quoted"),
    ] = None

    @classmethod
    def parse(cls, body: Mapping[str, Any], rules: RequestRules) -> "GenerateBody":
        """A JSON object as a request, with every default filled in. Raises InvalidRequest."""
        absent = is_blank(body.get("prompt")) and is_blank(body.get("imageUrl"))
        return validate_body(cls, body, context=rules, first=PROMPT_OR_IMAGE_REQUIRED if absent else "")

    @classmethod
    def unknown_field_message(cls) -> str:
        return "is not a field of this request"

    @property
    def kind(self) -> Kind:
        return Kind.IMAGE_TO_VIDEO if self.image_url else Kind.TEXT_TO_VIDEO

    @property
    def parameters(self) -> VideoParameters:
        """The request as the event records it."""
        return VideoParameters(**self.model_dump(exclude={"quote"}))


def generate_schema(rules: RequestRules) -> dict[str, Any]:
    """GenerateBody's JSON Schema, narrowed to what each model takes from a text and from an image."""
    variants = [
        variant
        for name in rules.models
        for variant in _variants(MODELS[name], by_default=name == rules.default_model)
    ]
    return GenerateBody.model_json_schema() | {"anyOf": variants}


def _variants(model: VideoModel, *, by_default: bool) -> Iterator[dict[str, Any]]:
    for from_image in (False, True):
        shortest, longest = model.durations
        properties: dict[str, Any] = {
            "model": {"enum": [model.name, *([None] if by_default else [])]},
            "resolution": {"enum": [*model.resolutions, None]},
            "duration": {"type": ["integer", "null"], "minimum": shortest, "maximum": longest},
            "ratio": {"enum": [*model.ratios(from_image=from_image), None]},
        }
        if not model.camera_fixed:
            properties["cameraFixed"] = {"enum": [False, None]}
        if not (from_image and model.last_frame):
            properties["lastFrameUrl"] = BLANK
        needed = "imageUrl" if from_image else "prompt"
        properties |= {needed: NOT_BLANK} if from_image else {needed: NOT_BLANK, "imageUrl": BLANK}
        yield {
            "title": f"{'image' if from_image else 'text'} to video with {model.name}",
            "required": [needed, *([] if by_default else ["model"])],
            "properties": properties,
        }


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
    kind: Literal["text-to-video", "image-to-video"]
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
