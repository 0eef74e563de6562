"""What the gateway writes to the VIDEO stream: what users asked for."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from .message import Account, Event, Generation
from .pricing import Price


class Kind(StrEnum):
    """What a generation starts from."""

    TEXT_TO_VIDEO = "text-to-video"
    IMAGE_TO_VIDEO = "image-to-video"


class VideoParameters(BaseModel):
    """Everything the provider is asked for, each value explicit: nothing is left to a provider's default."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    model: Annotated[str, Field(description="Name of the video model")]
    prompt: Annotated[str | None, Field(description="What is to be seen; with an image: how it moves")] = None
    image_url: Annotated[str | None, Field(description="Picture to start from")] = None
    last_frame_url: Annotated[str | None, Field(description="Picture to end with")] = None
    resolution: Annotated[str, Field(description="480p, 720p or 1080p")]
    ratio: Annotated[
        str | None, Field(description="Aspect ratio, e.g. 16:9; absent: the picture decides")
    ] = None
    duration: Annotated[int, Field(description="Seconds")]
    seed: Annotated[int | None, Field(description="0 to 2^32-1, only if the user chose one")] = None
    watermark: Annotated[bool, Field(description="Whether the provider puts its mark on the video")] = False
    camera_fixed: Annotated[
        bool | None,
        Field(description="Whether the camera stands still; absent: the model has no such choice"),
    ] = None


class VideoEvent(Event):
    """What all events of a generation share."""

    stream: ClassVar[str] = "VIDEO"

    account: Account
    generation: Generation

    @property
    def aggregate(self) -> tuple[str, ...]:
        return (self.account, self.generation)


class GenerationRequested(VideoEvent):
    """A user asked for a video. Validated; the price is computed once, here, and never again.

    `digest` is the SHA-256 of the request's body in a canonical form: the same idempotency key with another
    digest is refused.
    """

    type: ClassVar[str] = "generation.requested.v1"
    action: ClassVar[str] = "requested"
    written_by: ClassVar[str] = "gateway"

    kind: Annotated[Kind, Field(description="What it starts from")]
    parameters: Annotated[VideoParameters, Field(description="Everything the provider is asked for")]
    price: Annotated[Price, Field(description="What it costs, frozen")]
    digest: Annotated[
        str,
        Field(description="SHA-256 of the request's body in a canonical form, hexadecimal"),
    ]
    api_key: Annotated[str | None, Field(description="Id of the API key that was used, never the key")] = None


class CancelRequested(VideoEvent):
    """The user wants the generation stopped. Whether it can be is for the generation service to say."""

    type: ClassVar[str] = "generation.cancel_requested.v1"
    action: ClassVar[str] = "cancel_requested"
    written_by: ClassVar[str] = "gateway"
