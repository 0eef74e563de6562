"""When a video counts as stored, when a copy is retried, and when it fails permanently. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from telecine_contracts import Event
from telecine_contracts.generation import VideoReady
from telecine_contracts.storage import StorageFailure, VideoStorageFailed, VideoStored

CONTENT_TYPE = "video/mp4"


class VideoNotReady(LookupError):
    """A command for a generation without VideoReady: a broken invariant that an operator must examine."""


@dataclass(frozen=True, slots=True)
class Video:
    """State of one generation's video. `done`: it was stored, or storing it failed permanently."""

    ready: VideoReady | None = None
    done: bool = False
    stored: VideoStored | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordStored:
    """The complete and checked copy is in the bucket. Sizes in bytes, pixels and seconds."""

    bucket: str
    key: str
    bytes: int
    sha256: str
    width: int
    height: int
    duration: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No retry is left."""

    now: datetime
    side: StorageFailure
    message: str


Command = RecordStored | GiveUp


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed try. `permanent`: the provider refused the URL in a way that rarely changes."""

    side: StorageFailure
    permanent: bool


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed copy is retried; times in seconds.

    After failures of the source there are `source_tries` tries, after its refusals `refusal_tries`. Failures of the
    bucket are retried until `margin` before the provider's URL expires.
    """

    first: float = 1
    longest: float = 300
    source_tries: int = 10
    refusal_tries: int = 4
    margin: float = 600


def retry_at(
    failure: Failure, tried: int, now: datetime, video: VideoReady, policy: RetryPolicy
) -> datetime | None:
    """The time of the next try after `tried` failures, or None if there is none."""
    # The exponent is bounded, because a float overflows after about a thousand tries.
    pause = min(policy.longest, policy.first * 2.0 ** min(tried - 1, 30))
    next_try = now + timedelta(seconds=pause)
    if next_try > video.url_expires_at - timedelta(seconds=policy.margin):
        return None
    if failure.side is StorageFailure.BUCKET:
        return next_try
    tries = policy.refusal_tries if failure.permanent else policy.source_tries
    return next_try if tried < tries else None


def decide(command: Command, video: Video) -> Event | None:
    """The event that ends the copy, or None if it has already ended. Raises VideoNotReady."""
    if video.ready is None:
        raise VideoNotReady("no video is ready for this generation")
    if video.done:
        return None
    account, generation = video.ready.account, video.ready.generation
    match command:
        case RecordStored():
            return VideoStored(
                account=account,
                generation=generation,
                bucket=command.bucket,
                key=command.key,
                bytes=command.bytes,
                sha256=command.sha256,
                content_type=CONTENT_TYPE,
                width=command.width,
                height=command.height,
                duration=command.duration,
            )
        case GiveUp(now, side, message):
            # If only the bucket failed, the user can still download the video from the provider.
            lives = side is StorageFailure.BUCKET and now < video.ready.url_expires_at
            return VideoStorageFailed(
                account=account,
                generation=generation,
                side=side,
                message=message,
                stopgap_url=video.ready.url if lives else None,
                stopgap_expires_at=video.ready.url_expires_at if lives else None,
                duration=video.ready.duration,
            )
        case _:
            assert_never(command)


def evolve(video: Video, event: Event) -> Video:
    """The state after an event of the generation."""
    match event:
        case VideoReady():
            return replace(video, ready=event)
        case VideoStored():
            return replace(video, done=True, stored=event)
        case VideoStorageFailed():
            return replace(video, done=True)
        case _:
            return video
