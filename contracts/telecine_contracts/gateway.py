"""Events that the gateway writes to the VIDEO stream: requests of users."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from .message import Account, Event, Generation
from .pricing import Price, PricedInputs
from .video_models import MODELS


class Kind(StrEnum):
    """Input of a generation: a text alone, or media as well, which may be references."""

    TEXT_TO_VIDEO = "text-to-video"
    IMAGE_TO_VIDEO = "image-to-video"


class Reference(BaseModel):
    """A file that the video is to resemble or to use: neither its first nor its last frame."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    type: Annotated[str, Field(description="image, video or audio")]
    role: Annotated[str, Field(description="reference_image, reference_video or reference_audio")]
    url: Annotated[str, Field(description="URL of the file")]


class VideoParameters(BaseModel):
    """Parameters sent to the provider: the resolved request, from which price, provider request and record follow.

    What affects the price or the picture is explicit, never left to the provider's default. An optional field that is
    absent was not requested; fields after `camera_fixed` are absent in older events.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    model: Annotated[str, Field(description="Name of the video model")]
    prompt: Annotated[str | None, Field(description="What the video shows; with an image: how it moves")] = (
        None
    )
    image_url: Annotated[str | None, Field(description="URL of the first frame")] = None
    last_frame_url: Annotated[str | None, Field(description="URL of the last frame")] = None
    resolution: Annotated[str, Field(description="480p, 720p, 1080p or 4k")]
    ratio: Annotated[str | None, Field(description="Aspect ratio, e.g. 16:9; absent: as the image")] = None
    duration: Annotated[int, Field(description="Seconds")]
    seed: Annotated[int | None, Field(description="0 to 2^32-1, only if the user chose one")] = None
    watermark: Annotated[bool, Field(description="Whether the provider adds its watermark")] = False
    camera_fixed: Annotated[
        bool | None,
        Field(description="Whether the camera is fixed; absent: the model has no such option"),
    ] = None
    generate_audio: Annotated[
        bool | None, Field(description="Whether the video has sound; absent: the model makes none")
    ] = None
    references: Annotated[
        tuple[Reference, ...] | None, Field(description="Files that the video is to resemble or to use")
    ] = None
    draft: Annotated[bool | None, Field(description="True: a preview of low quality")] = None
    service_tier: Annotated[
        str | None, Field(description="flex: cheaper, and may wait for hours; absent: default")
    ] = None
    priority: Annotated[
        int | None, Field(description="0 to 9, among the operator's own tasks at the provider")
    ] = None
    duration_chosen_by_model: Annotated[
        bool | None,
        Field(
            description="True: the model chooses the length, and `duration` is the longest that it may choose"
        ),
    ] = None

    @property
    def is_flex(self) -> bool:
        """Whether it goes to the provider's offline tier."""
        return self.service_tier == "flex"

    def priced_inputs(self) -> PricedInputs:
        """What the price of the request depends on."""
        return PricedInputs(
            model=self.model,
            resolution=self.resolution,
            seconds=self.duration,
            audio=bool(self.generate_audio),
            input_video=any(reference.type == "video" for reference in self.references or ()),
            tier="flex" if self.is_flex else "default",
            shortest=MODELS[self.model].durations[0] if self.duration_chosen_by_model else None,
        )


class VideoEvent(Event):
    """Base of all events of a generation."""

    stream: ClassVar[str] = "VIDEO"

    account: Account
    generation: Generation

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.account, self.generation)


class GenerationRequested(VideoEvent):
    """A user requested a video. The request is validated, and its price is frozen.

    `digest` is the SHA-256 of the request's body in a canonical form: the same idempotency key with another
    digest is refused.
    """

    type: ClassVar[str] = "generation.requested.v1"
    action: ClassVar[str] = "requested"
    written_by: ClassVar[str] = "gateway"

    kind: Annotated[Kind, Field(description="Input of the generation")]
    parameters: Annotated[VideoParameters, Field(description="Parameters sent to the provider")]
    price: Annotated[Price, Field(description="The frozen price")]
    digest: Annotated[
        str,
        Field(description="SHA-256 of the request's body in a canonical form, hexadecimal"),
    ]
    api_key: Annotated[str | None, Field(description="Id of the API key of the request, not the key")] = None
    cancel_after: Annotated[
        int | None,
        Field(ge=1, description="Seconds after which it is cancelled unless submitted; absent: never"),
    ] = None


class CancelRequested(VideoEvent):
    """The user requested a cancellation, which the generation service carries out or declines."""

    type: ClassVar[str] = "generation.cancel_requested.v1"
    action: ClassVar[str] = "cancel_requested"
    written_by: ClassVar[str] = "gateway"
