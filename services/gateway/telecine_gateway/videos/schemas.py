"""The shapes of requests and answers, for the OpenAPI document. Routes send plain JSON; tests hold it to these."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from telecine_gateway.documentation.json_schema import LINES, URL
from telecine_gateway.http.schemas import ErrorCode, ResponseBody

Status = Literal["pending", "processing", "completed", "failed", "cancelled"]


class GenerateBody(BaseModel):
    """A text-to-video request needs a prompt, an image-to-video request an imageUrl. A null counts as absent."""

    model_config = ConfigDict(extra="forbid")

    prompt: Annotated[
        str | None,
        Field(
            max_length=2000, pattern=LINES, description="What the video shows; with an image, how it moves"
        ),
    ] = None
    imageUrl: Annotated[
        str | None, Field(max_length=2048, pattern=URL, description="Public http(s) URL of the first frame")
    ] = None
    lastFrameUrl: Annotated[
        str | None,
        Field(
            max_length=2048, pattern=URL, description="Public http(s) URL of the last frame; needs imageUrl"
        ),
    ] = None
    resolution: Annotated[Literal["480p", "720p", "1080p"] | None, Field(description="720p if absent")] = None
    duration: Annotated[
        int | None, Field(description="Whole seconds; 5 if absent; the model sets the range")
    ] = None
    watermark: Annotated[bool | None, Field(description="Mark the video as made by a machine")] = None
    cameraFixed: Annotated[bool | None, Field(description="Keep the camera still, where the model can")] = (
        None
    )
    ratio: Annotated[
        str | None, Field(description="16:9, 4:3, 1:1, 3:4, 9:16, 21:9, or adaptive where the model can")
    ] = None
    seed: Annotated[int | None, Field(ge=-1, le=2**32 - 1, description="-1 for any")] = None
    model: Annotated[str | None, Field(description="One of the installation's models")] = None


class Accepted(BaseModel):
    """The credits are reserved and the generation goes on; `id` is also the history id."""

    id: str
    taskId: str
    status: Literal["processing"]
    remainingCredits: int


class Pending(BaseModel):
    """The request is recorded; whether it is paid for is not known yet."""

    id: str
    taskId: str
    status: Literal["pending"]


class LimitBody(ResponseBody):
    """A spend limit that was reached, in credits."""

    scope: Annotated[Literal["account", "api_key"], Field(description="Whose limit it is")]
    per: Annotated[Literal["day", "generation"], Field(description="What it counts over; a day of UTC")]
    limit: int
    used: Annotated[int, Field(description="Reserved or spent under it so far, without this generation")]


class InsufficientCredits(ResponseBody):
    """The balance is too low, or a spend limit is reached; nothing was taken."""

    error: str
    code: Literal[ErrorCode.INSUFFICIENT_CREDITS, ErrorCode.SPEND_LIMIT]
    credits_needed: int
    remaining_credits: int
    limit: Annotated[LimitBody | None, Field(description="Only where a spend limit is the reason")] = None


class StatusBody(BaseModel):
    """A generation's status; which of the optional fields are there depends on it."""

    id: str
    taskId: str
    status: Status
    providerTaskId: str | None = None
    taskStatus: Annotated[str | None, Field(description="The provider's word, while running")] = None
    statusText: str | None = None
    elapsedSeconds: int | None = None
    videoUrl: str | None = None
    temporary: Annotated[bool | None, Field(description="True: the provider's own URL, until expiresAt")] = (
        None
    )
    expiresAt: str | None = None
    error: str | None = None
    errorCode: str | None = None


class Metadata(BaseModel):
    """What the provider was asked for."""

    duration: int
    resolution: str
    watermark: bool
    cameraFixed: bool | None
    ratio: str | None
    seed: int | None
    model: str


class Record(BaseModel):
    """A generation as history shows it."""

    id: str
    type: Literal["video"]
    kind: Literal["text-to-video", "image-to-video"]
    prompt: str | None
    imageUrl: str | None
    lastFrameUrl: str | None
    taskId: str
    providerTaskId: str | None
    resultUrl: str | None
    temporary: bool | None = None
    expiresAt: str | None = None
    status: Status
    error: str | None
    errorCode: str | None
    creditsUsed: Annotated[int, Field(description="Held or spent; given back counts as 0")]
    metadata: Metadata
    bytes: int | None
    sha256: str | None
    width: int | None
    height: int | None
    createdAt: str
    updatedAt: str


class TimelineEvent(BaseModel):
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
    time: str
    data: dict[str, Any]


class RecordWithEvents(Record):
    """A generation with everything that happened to it."""

    events: list[TimelineEvent]


class History(BaseModel):
    """A page of generations, newest first. Without nextCursor it is the last one."""

    items: list[Record]
    nextCursor: str | None


class CancelBody(BaseModel):
    """What came of a cancel."""

    id: str
    status: Status
    cancel: Literal["cancelled", "requested", "already_finished"]
    message: str | None = None
    error: str | None = None
    code: Literal[ErrorCode.GENERATION_ENDED] | None = None


class PriceBody(BaseModel):
    """What a resolution costs, in credits."""

    resolution: str
    short: Annotated[int, Field(description="Up to longAfter seconds")]
    long: Annotated[int, Field(description="Longer than longAfter seconds")]


class ModelBody(BaseModel):
    """A model that may be asked for."""

    name: str
    durations: tuple[int, int]
    resolutions: list[str]
    lastFrame: bool
    cameraFixed: bool


class Quote(BaseModel):
    """What the given parameters cost."""

    credits: int
    model: str
    resolution: str
    duration: int


class Pricing(BaseModel):
    """The price table, the models, and a quote for the parameters of the question."""

    version: str
    longAfter: Annotated[int, Field(description="Seconds")]
    prices: list[PriceBody]
    defaultModel: str
    models: list[ModelBody]
    quote: Quote


class Health(BaseModel):
    """ok, or unavailable with what is missing."""

    status: Literal["ok", "unavailable"]
    error: str | None = None
    code: Literal[ErrorCode.UNAVAILABLE] | None = None
