"""Bucket in any S3 store: rclone, Cloudflare R2, Amazon S3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from .port import CONTENT_TYPE, BucketError, BucketUnavailable
from .s3_executor import ObjectMissing, S3Config, S3Executor, UploadNotFound
from .s3_multipart import MultipartUpload, abort
from .s3_parts import split_into_parts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["PART_BYTES", "S3Bucket", "S3Config"]

PART_BYTES = 8 * 1024 * 1024
"""Length of every part but the last. R2 requires equal parts; S3 at least 5 MiB and at most 10 000 parts."""


class S3Bucket:
    """Bucket over S3. Objects are private: no access rule is ever set."""

    def __init__(self, config: S3Config, *, part_bytes: int = PART_BYTES) -> None:
        self._calls = S3Executor(config)
        self._bucket = config.bucket
        self._part_bytes = part_bytes

    async def start(self) -> None:
        """Loads boto3 and creates its client, which takes some tenths of a second at the first call otherwise."""
        await self._calls.start()

    async def aclose(self) -> None:
        """Closes the connections and ends the threads; the bucket cannot be used afterwards."""
        await self._calls.aclose()

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """See Bucket.put_stream. At most three parts are in memory at the same time."""
        parts = split_into_parts(chunks, self._part_bytes)
        first = await anext(parts, b"")
        sent = len(first)
        if sent < self._part_bytes:
            await self._put(key, first)  # all or nothing
        else:
            async with MultipartUpload(self._calls, self._bucket, key) as multipart:
                await multipart.add(first)
                del first
                async for part in parts:
                    sent += len(part)
                    await multipart.add(part)
            await self._tidy_up(key)
        return sent

    async def confirm(self, key: str, length: int, sha256: str) -> None:
        """See Bucket.confirm. The servers verified the Content-MD5 of each body."""
        if length < self._part_bytes:
            return
        # The tested S3 servers do not refuse a wrong SHA-256 of a multipart upload, so the length is checked.
        found = await self.head(key)
        if found != length:
            await self.delete(key)
            raise BucketUnavailable(f"{length} bytes were sent, {found} are there")

    async def head(self, key: str) -> int | None:
        """See Bucket.head."""
        try:
            answer = await self._calls.run(lambda s3: s3.head_object(Bucket=self._bucket, Key=key))
        except ObjectMissing:
            return None
        return answer["ContentLength"]

    async def delete(self, key: str) -> None:
        """See Bucket.delete."""
        with suppress(ObjectMissing):
            await self._calls.run(lambda s3: s3.delete_object(Bucket=self._bucket, Key=key))

    async def abort_leftovers(self, key: str) -> None:
        """See Bucket.abort_leftovers: aborts all incomplete multipart uploads of the key."""
        for found, upload in await self._uploads(key):
            if found == key:
                await abort(self._calls, self._bucket, key, upload)

    async def keys(self, prefix: str) -> Sequence[str]:
        """See Bucket.keys."""

        def listed(s3: S3Client) -> list[str]:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return [found["Key"] for page in pages for found in page.get("Contents", [])]

        objects = await self._calls.run(listed)
        return list(dict.fromkeys([*objects, *(key for key, _ in await self._uploads(prefix))]))

    async def _uploads(self, prefix: str) -> list[tuple[str, str]]:
        """Key and id of the unfinished uploads, the first 1000 of them."""
        try:
            answer = await self._calls.run(
                lambda s3: s3.list_multipart_uploads(Bucket=self._bucket, Prefix=prefix)
            )
        except UploadNotFound:  # rclone's answer for a bucket that never had any
            return []
        return [(upload["Key"], upload["UploadId"]) for upload in answer.get("Uploads", [])]

    async def _put(self, key: str, body: bytes) -> None:
        await self._calls.run(
            lambda s3: s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType=CONTENT_TYPE,
                **self._calls.checksum(body),
            )
        )

    async def _tidy_up(self, key: str) -> None:
        # After the object exists, not before: two concurrent copies of one key that first aborted each other's
        # upload could do so without end. In this order the later one fails once.
        with suppress(BucketError):
            await self.abort_leftovers(key)
