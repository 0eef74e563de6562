"""Syncs the files of an S3 server on this machine to disk.

`rclone serve s3` acknowledges objects that are only in the page cache: it never calls fsync (observed with strace,
1.75.2) and has no flag for it. After a power loss, acknowledged objects were files of 0 bytes. It writes a temporary
file and renames it to the object's key.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
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

    def sync(self, key: str, length: int) -> None:
        """Syncs the object's bytes, its directory entry and the folders above it to disk. Blocks.

        Raises:
            BucketRefused: the file does not exist, or it cannot be read.
            BucketUnavailable: the file has another length, or the disk failed.
        """
        file = self._folder / self._bucket / key
        try:
            found = _sync(file)
            for above in file.relative_to(self._folder).parents:
                _sync(self._folder / above)
        except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
            raise BucketRefused(
                f"the object's file cannot be read in TELECINE_S3_FILES={self._folder} ({error.strerror}): name the "
                "folder that the S3 server serves, or leave the setting empty if that server syncs by itself"
            ) from error
        except OSError as error:
            raise BucketUnavailable(f"the object could not be synced to disk: {error.strerror}") from error
        if found != length:
            raise BucketUnavailable(f"{length} bytes were sent, the object's file has {found}")


class SyncedBucket:
    """A bucket whose objects are on disk when `put_stream` returns."""

    def __init__(self, bucket: Bucket, files: ObjectFiles) -> None:
        self._bucket = bucket
        self._files = files

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """See Bucket.put_stream."""
        length = await self._bucket.put_stream(key, chunks)
        await asyncio.to_thread(self._files.sync, key, length)
        return length

    async def head(self, key: str) -> int | None:
        """See Bucket.head."""
        return await self._bucket.head(key)

    async def delete(self, key: str) -> None:
        """See Bucket.delete."""
        await self._bucket.delete(key)

    async def abort_leftovers(self, key: str) -> None:
        """See Bucket.abort_leftovers."""
        await self._bucket.abort_leftovers(key)


def _sync(path: Path) -> int:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)
