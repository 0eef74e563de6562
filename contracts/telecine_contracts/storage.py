"""What the storage service writes to the VIDEO stream: where the video went."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from .gateway import VideoEvent


class StorageFailure(StrEnum):
    """Which side of the copy gave up."""

    SOURCE = "source"
    BUCKET = "bucket"


class StorageEvent(VideoEvent):
    """What all events of the storage service share."""

    written_by: ClassVar[str] = "storage"


class VideoStored(StorageEvent):
    """The video is in the bucket, whole and checked. The generation is completed."""

    type: ClassVar[str] = "video.stored.v1"
    action: ClassVar[str] = "stored"

    bucket: Annotated[str, Field(description="The bucket that has it")]
    key: Annotated[str, Field(description="Its key in the bucket")]
    bytes: Annotated[int, Field(ge=1, description="Size in bytes")]
    sha256: Annotated[str, Field(description="SHA-256 of the file, hexadecimal")]
    content_type: Annotated[str, Field(description="Media type, e.g. video/mp4")]
    width: Annotated[int, Field(description="Pixels")]
    height: Annotated[int, Field(description="Pixels")]
    duration: Annotated[float, Field(description="Seconds")]


class VideoStorageFailed(StorageEvent):
    """The copy was given up after all its retries.

    With `stopgap_url` the generation is completed, on the provider's own URL, until `stopgap_expires_at`. Without
    one there is no video to give: the generation has failed and is refunded.
    """

    type: ClassVar[str] = "video.storage_failed.v1"
    action: ClassVar[str] = "storage_failed"

    side: Annotated[StorageFailure, Field(description="Which side of the copy gave up")]
    message: Annotated[str, Field(description="Why, in words")]
    stopgap_url: Annotated[str | None, Field(description="The provider's own URL, in place of a copy")] = None
    stopgap_expires_at: Annotated[datetime | None, Field(description="When that URL stops working")] = None
