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

    bucket: str
    key: str
    bytes: Annotated[int, Field(ge=1)]
    sha256: str
    content_type: str
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

    side: StorageFailure
    message: str
    stopgap_url: str | None = None
    stopgap_expires_at: datetime | None = None
