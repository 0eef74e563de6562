"""A multipart upload as a context manager: completed if the block succeeds, aborted otherwise."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .port import CONTENT_TYPE, BucketError
from .s3_executor import S3Executor, UploadNotFound

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PARTS_AT_ONCE = 2
"""Parts that are being sent; each is in memory, as is the one that is being collected."""
_SECONDS_TO_SETTLE = 5.0


class MultipartUpload:
    """Sends parts while the next one is collected, up to `PARTS_AT_ONCE` at a time."""

    def __init__(self, calls: S3Executor, bucket: str, key: str) -> None:
        self._calls = calls
        self._bucket = bucket
        self._key = key
        self._upload = ""
        self._done: list[CompletedPartTypeDef] = []
        self._sending: deque[asyncio.Task[CompletedPartTypeDef]] = deque()

    async def add(self, part: bytes) -> None:
        """Waits until fewer parts are being sent and starts to send this one. Raises BucketError."""
        await self._settle(PARTS_AT_ONCE - 1)
        sending = asyncio.create_task(self._send(len(self._done) + len(self._sending) + 1, part))
        sending.add_done_callback(_notice)
        self._sending.append(sending)

    async def __aenter__(self) -> Self:
        answer = await self._calls.run(
            lambda s3: s3.create_multipart_upload(
                Bucket=self._bucket, Key=self._key, ContentType=CONTENT_TYPE
            )
        )
        self._upload = answer["UploadId"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            await self._give_up()
            return
        try:
            await self._settle(0)
            await self._complete()
        except BaseException:
            await self._give_up()
            raise

    async def _send(self, number: int, part: bytes) -> CompletedPartTypeDef:
        def send(s3: S3Client) -> CompletedPartTypeDef:
            answer = s3.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload,
                PartNumber=number,
                Body=part,
                **self._calls.checksum(part),
            )
            return {"ETag": answer["ETag"], "PartNumber": number}

        return await self._calls.run(send)

    async def _settle(self, most: int) -> None:
        """Wait until at most `most` parts are being sent."""
        while len(self._sending) > most:
            # Shielded: if the task were cancelled, its thread would still send the part, after the abort.
            self._done.append(await asyncio.shield(self._sending[0]))
            self._sending.popleft()

    async def _complete(self) -> None:
        await self._calls.run(
            lambda s3: s3.complete_multipart_upload(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload,
                MultipartUpload={"Parts": self._done},
            )
        )

    async def _give_up(self) -> None:
        # A part that arrives after the abort would remain in the store, so the abort waits for it for some seconds.
        if self._sending:
            await asyncio.wait(self._sending, timeout=_SECONDS_TO_SETTLE)
        with suppress(BucketError):
            await abort(self._calls, self._bucket, self._key, self._upload)


async def abort(calls: S3Executor, bucket: str, key: str, upload: str) -> None:
    """Aborts an unfinished upload; no error if it does not exist. Raises BucketError."""
    with suppress(UploadNotFound):
        await calls.run(lambda s3: s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload))


def _notice(sending: asyncio.Task[CompletedPartTypeDef]) -> None:
    # After an abort the result is not retrieved, which asyncio would log as an error.
    if not sending.cancelled():
        sending.exception()
