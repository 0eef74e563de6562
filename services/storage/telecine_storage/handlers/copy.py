"""`storage-copy`, `storage-timers`: copies a video and records the result, or sets a timer for the next try."""

import json
from collections.abc import Callable
from datetime import datetime

import structlog

from telecine_chassis.consumers.reactor import Retry
from telecine_chassis.eventstore.command_handler import Cause, CommandHandler
from telecine_chassis.timers.port import Timer, Timers
from telecine_contracts import subjects
from telecine_contracts.generation import VideoReady
from telecine_contracts.storage import StorageFailure
from telecine_storage.bucket.port import Bucket, BucketError
from telecine_storage.domain import Command, Failure, GiveUp, RecordStored, RetryPolicy, Video, retry_at
from telecine_storage.instruments import CopyInstruments
from telecine_storage.source.port import Source
from telecine_storage.transfer.transfer import (
    CopyFailed,
    TransferLimits,
    TransferResult,
    object_key,
    transfer,
)

from .erase import Erasures

log = structlog.get_logger(__name__)
Videos = CommandHandler[Command, Video]
COPY = "copy"
RECOPY = "recopy"
# A message whose copy is in progress is redelivered, not acknowledged: a crash of this process would lose it.
ACTIVE_RETRY_DELAY = 5


FAILURE_MESSAGES = {
    StorageFailure.SOURCE: "The video could not be fetched from the provider. Your credits were refunded.",
    StorageFailure.BUCKET: "The video could not be stored.",
}


class CopyHandler:
    """Copies videos into `bucket_name`; one instance per process."""

    def __init__(
        self,
        videos: Videos,
        source: Source,
        bucket: Bucket,
        timers: Timers,
        erasures: Erasures,
        *,
        bucket_name: str,
        retry_policy: RetryPolicy,
        limits: TransferLimits,
        clock: Callable[[], datetime],
        instruments: CopyInstruments,
    ) -> None:
        self._videos = videos
        self._source = source
        self._bucket = bucket
        self._timers = timers
        self._erasures = erasures
        self._bucket_name = bucket_name
        self._retry_policy = retry_policy
        self._limits = limits
        self._clock = clock
        self._instruments = instruments
        self._active: set[str] = set()

    async def retry(self, timer: Timer) -> None:
        """Makes the next try of a copy."""
        account, generation = timer.key
        await self.copy(account, generation, tried=_decode_tries(timer.data))

    async def copy(
        self, account: str, generation: str, *, tried: int = 0, cause: Cause | None = None
    ) -> None:
        """Copies the video of a generation, unless it is done. `tried`: number of failed tries.

        Raises Retry while this process is copying the same video.
        """
        if generation in self._active:
            raise Retry(ACTIVE_RETRY_DELAY, "this process is copying it")
        self._active.add(generation)
        try:
            await self._attempt(account, generation, tried, cause)
        finally:
            self._active.discard(generation)

    async def _attempt(self, account: str, generation: str, tried: int, cause: Cause | None) -> None:
        aggregate = subjects.video(account, generation)
        video = await self._videos.read(aggregate)
        if video.ready is None or video.done:
            return
        key = object_key(account, generation)
        try:
            copied = await self._transfer(video.ready.url, key)
        except CopyFailed as error:
            await self._failed(video, error, tried + 1)
            return
        stored = RecordStored(
            bucket=self._bucket_name,
            key=key,
            bytes=copied.bytes,
            sha256=copied.sha256,
            width=copied.width,
            height=copied.height,
            duration=copied.duration_seconds,
        )
        await self._videos.handle(aggregate, stored, cause)

    async def _transfer(self, url: str, key: str, *, sha256: str | None = None) -> TransferResult:
        with self._instruments.measured_transfer() as measurement:
            result = await transfer(
                self._source, self._bucket, url=url, key=key, limits=self._limits, sha256=sha256
            )
            measurement.outcome = "stored"
            measurement.span.set_attribute("telecine.bytes", result.bytes)
        self._instruments.bytes.inc(result.bytes)
        return result

    async def recopy(self, timer: Timer) -> None:
        """Restores the missing or incomplete object of a stored video, with the same bytes.

        Appends no event, because VideoStored remains true. If the provider's URL is about to expire, the video is
        lost, which is logged and counted.
        """
        video = await self._videos.read(subjects.video(*timer.key))
        ready, stored = video.ready, video.stored
        if ready is None or stored is None:
            return  # erased in the meantime
        try:
            # Another instance may have restored it.
            if await self._bucket.head(stored.key) == stored.bytes:
                return
            await self._transfer(ready.url, stored.key, sha256=stored.sha256)
            if await self._erasures.is_erased(*timer.key):
                # `storage-erase` may have looked for objects before this one was there.
                await self._erasures.discard(stored.key)
                return
        except BucketError as error:
            failure = CopyFailed(StorageFailure.BUCKET, error.reason, permanent=False)
            await self._recopy_failed(timer, ready, failure)
        except CopyFailed as failure:
            await self._recopy_failed(timer, ready, failure)
        else:
            self._instruments.recopies.labels("copied").inc()
            log.info("recopy.done")

    async def _recopy_failed(self, timer: Timer, ready: VideoReady, error: CopyFailed) -> None:
        tried = _decode_tries(timer.data) + 1
        failure = Failure(error.kind, error.permanent)
        at = retry_at(failure, tried, self._clock(), ready, self._retry_policy)
        if at is not None:
            log.warning("recopy.failed", side=error.kind.value, reason=error.reason, tried=tried)
            await self._timers.set(Timer(RECOPY, timer.key, _encode_tries(tried)), at)
            return
        self._instruments.recopies.labels("lost").inc()
        log.error("recopy.given_up", side=error.kind.value, reason=error.reason, tried=tried)

    async def _failed(self, video: Video, error: CopyFailed, tried: int) -> None:
        assert video.ready is not None
        account, generation = video.ready.account, video.ready.generation
        at = retry_at(
            Failure(error.kind, error.permanent), tried, self._clock(), video.ready, self._retry_policy
        )
        log.warning(
            "copy.failed", side=error.kind.value, reason=error.reason, tried=tried, again=at is not None
        )
        if at is not None:
            await self._timers.set(Timer(COPY, (account, generation), _encode_tries(tried)), at)
            return
        command = GiveUp(self._clock(), error.kind, FAILURE_MESSAGES[error.kind])
        await self._videos.handle(subjects.video(account, generation), command)
        # After the last try no further copy would remove what the failed ones have left.
        try:
            await self._bucket.abort_leftovers(object_key(account, generation))
        except BucketError as leftover:
            log.warning("copy.leftovers_stay", reason=str(leftover))


async def copy(copier: CopyHandler, event: VideoReady, cause: Cause) -> None:
    """Copies a video that the provider has finished."""
    await copier.copy(event.account, event.generation, cause=cause)


def _encode_tries(tried: int) -> bytes:
    return json.dumps({"tried": tried}).encode()


def _decode_tries(data: bytes) -> int:
    """The number of failed tries in the timer's data; 0 if it has none."""
    try:
        value = json.loads(data or b"{}").get("tried", 0)
    except (ValueError, AttributeError):
        return 0
    return value if isinstance(value, int) and value >= 0 else 0
