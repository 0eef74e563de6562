"""Events that the gateway writes to the VIDEO stream: requests of users."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from .message import Account, Event, Generation
from .pricing import Price, PricedInputs


class Kind(StrEnum):
    """Input of a generation."""

    TEXT_TO_VIDEO = "text-to-video"
    IMAGE_TO_VIDEO = "image-to-video"


class VideoParameters(BaseModel):
    """Parameters sent to the provider, each one explicit: none is left to the provider's default."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    model: Annotated[str, Field(description="Name of the video model")]
    prompt: Annotated[str | None, Field(description="What the video shows; with an image: how it moves")] = (
        None
    )
    image_url: Annotated[str | None, Field(description="URL of the first frame")] = None
    last_frame_url: Annotated[str | None, Field(description="URL of the last frame")] = None
    resolution: Annotated[str, Field(description="480p, 720p or 1080p")]
    ratio: Annotated[str | None, Field(description="Aspect ratio, e.g. 16:9; absent: as the image")] = None
    duration: Annotated[int, Field(description="Seconds")]
    seed: Annotated[int | None, Field(description="0 to 2^32-1, only if the user chose one")] = None
    watermark: Annotated[bool, Field(description="Whether the provider adds its watermark")] = False
    camera_fixed: Annotated[
        bool | None,
        Field(description="Whether the camera is fixed; absent: the model has no such option"),
    ] = None

    def priced_inputs(self) -> PricedInputs:
        """What the price of the request depends on."""
        return PricedInputs(model=self.model, resolution=self.resolution, seconds=self.duration)


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


class CancelRequested(VideoEvent):
    """The user requested a cancellation, which the generation service carries out or declines."""

    type: ClassVar[str] = "generation.cancel_requested.v1"
    action: ClassVar[str] = "cancel_requested"
    written_by: ClassVar[str] = "gateway"
