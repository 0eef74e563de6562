"""Syncs the files of an S3 server on this machine to disk.

`rclone serve s3` acknowledges objects that are only in the page cache: it never calls fsync (observed with strace,
1.75.2) and has no flag for it. After a power loss, acknowledged objects were files of 0 bytes. It writes a temporary
file and renames it to the object's key.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .port import Bucket, BucketRefused, BucketUnavailable

__all__ = ["ObjectFiles", "SyncedBucket"]


class ObjectFiles:
    """The files of one bucket. As with rclone, the object `key` is the file `<folder>/<bucket>/<key>`.

    Read access to the folder is sufficient, also through a read-only mount: on Linux, fsync accepts a file that was
    opened for reading.
    """

    def __init__(self, folder: Path, bucket: str) -> None:
        self._folder = folder
        self._bucket = bucket

    def sync(self, key: str) -> None:
        """Syncs the object's bytes, its directory entry and the folders above it to disk. Blocks.

        Raises:
            BucketRefused: the file does not exist, or it cannot be read.
            BucketUnavailable: the disk failed.
        """
        file = self._file(key)
        with self._explained():
            _sync(file)
            for above in file.relative_to(self._folder).parents:
                _sync(self._folder / above)

    def digest(self, key: str) -> str:
        """SHA-256 of the object's file in hex. Blocks and raises as `sync` does."""
        with self._explained(), self._file(key).open("rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _file(self, key: str) -> Path:
        return self._folder / self._bucket / key

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            raise BucketRefused(
                f"the object's file cannot be read in TELECINE_S3_FILES={self._folder} ({error.strerror}): name the "
                "folder that the S3 server serves, or leave the setting empty if that server syncs by itself"
            ) from error
        except OSError as error:
            raise BucketUnavailable(f"the object could not be synced to disk: {error.strerror}") from error


class SyncedBucket:
    """A bucket whose objects are on disk, and compared there with what was sent, when `confirm` returns.

    So its `bucket` needs no checksums in requests: they would cost the client and rclone as much as all the rest.
    """

    def __init__(self, bucket: Bucket, files: ObjectFiles) -> None:
        self._bucket = bucket
        self._files = files

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """See Bucket.put_stream."""
        return await self._bucket.put_stream(key, chunks)

    async def confirm(self, key: str, length: int, sha256: str) -> None:
        """See Bucket.confirm."""
        # At the same time: one waits for the disk, the other for the processor.
        _, found = await asyncio.gather(
            asyncio.to_thread(self._files.sync, key), asyncio.to_thread(self._files.digest, key)
        )
        if found != sha256:
            await self._bucket.delete(key)
            raise BucketUnavailable("the object's file differs from what was sent")

    async def head(self, key: str) -> int | None:
        """See Bucket.head."""
        return await self._bucket.head(key)

    async def delete(self, key: str) -> None:
        """See Bucket.delete."""
        await self._bucket.delete(key)

    async def keys(self, prefix: str) -> Sequence[str]:
        """See Bucket.keys."""
        return await self._bucket.keys(prefix)

    async def abort_leftovers(self, key: str) -> None:
        """See Bucket.abort_leftovers."""
        await self._bucket.abort_leftovers(key)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
