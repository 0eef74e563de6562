"""Events that the storage service writes to the VIDEO stream: where the video is stored."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from .gateway import VideoEvent


class StorageFailure(StrEnum):
    """Side of the copy that failed."""

    SOURCE = "source"
    BUCKET = "bucket"


class StorageEvent(VideoEvent):
    """Base of the storage service's events."""

    written_by: ClassVar[str] = "storage"


class VideoStored(StorageEvent):
    """The complete, verified video is in the bucket. The generation is completed."""

    type: ClassVar[str] = "video.stored.v1"
    action: ClassVar[str] = "stored"

    bucket: Annotated[str, Field(description="Bucket of the video")]
    key: Annotated[str, Field(description="Its key in the bucket")]
    bytes: Annotated[int, Field(ge=1, description="Size in bytes")]
    sha256: Annotated[str, Field(description="SHA-256 of the file, hexadecimal")]
    content_type: Annotated[str, Field(description="Media type, e.g. video/mp4")]
    width: Annotated[int, Field(description="Pixels")]
    height: Annotated[int, Field(description="Pixels")]
    duration: Annotated[float, Field(description="Seconds")]


class VideoStorageFailed(StorageEvent):
    """The copy failed after all retries.

    With a `stopgap_url` the generation is completed and served from the provider's URL until `stopgap_expires_at`.
    Without one no video can be delivered: the generation has failed and is refunded.
    """

    type: ClassVar[str] = "video.storage_failed.v1"
    action: ClassVar[str] = "storage_failed"

    side: Annotated[StorageFailure, Field(description="Side of the copy that failed")]
    message: Annotated[str, Field(description="Why")]
    stopgap_url: Annotated[str | None, Field(description="The provider's URL, in place of a copy")] = None
    stopgap_expires_at: Annotated[datetime | None, Field(description="When that URL stops working")] = None
    duration: Annotated[float | None, Field(description="Seconds, as reported by the provider")] = None
