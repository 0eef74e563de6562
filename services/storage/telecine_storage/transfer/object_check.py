"""Finds stored videos whose object is missing or incomplete, so that they are copied again."""

import asyncio
from collections.abc import Sequence

import structlog

from telecine_chassis.timers.port import Timer
from telecine_chassis.timers.sweeper import PendingTimer
from telecine_storage.bucket.port import Bucket, BucketError
from telecine_storage.handlers.copy import RECOPY
from telecine_storage.read_model.queries import StoredVideo

__all__ = ["recopy_timers"]

log = structlog.get_logger(__name__)
_CONCURRENCY = 4


async def recopy_timers(bucket: Bucket, videos: Sequence[StoredVideo]) -> Sequence[PendingTimer]:
    """Recopy timers for the `videos` whose object is missing or has another size than VideoStored says.

    Sends one HEAD request per video. Videos that could not be checked are omitted.
    """
    slots = asyncio.Semaphore(_CONCURRENCY)

    async def is_damaged(video: StoredVideo) -> bool:
        async with slots:
            try:
                return await bucket.head(video.key) != video.bytes
            except BucketError as error:
                log.warning("objects.unchecked", reason=error.reason, generation=video.generation)
                return False

    found = await asyncio.gather(*map(is_damaged, videos))
    damaged = [video for video, bad in zip(videos, found, strict=True) if bad]
    for video in damaged:
        log.error("objects.damaged", generation=video.generation, bytes=video.bytes)
    return [PendingTimer(Timer(RECOPY, (video.account, video.generation))) for video in damaged]
