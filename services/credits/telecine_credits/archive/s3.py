"""Archive in an S3 bucket, preferably in another account than the other buckets."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telecine_chassis.s3_client import S3Access, s3_client

from .port import LATEST, ArchiveUnavailable, ConflictingNote, is_older, object_name

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["S3Archive", "S3ArchiveConfig"]

CONNECT_SECONDS = 5
ANSWER_SECONDS = 15
_MISSING = {"404", "NoSuchKey"}
_ALREADY_EXISTS = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_CONDITIONS_UNSUPPORTED = {"NotImplemented", "501"}


@dataclass(frozen=True, slots=True)
class S3ArchiveConfig:
    """Address and credentials of the bucket. Keys begin with `prefix`; the region is "auto" on R2."""

    endpoint: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "auto"
    prefix: str = "checkpoints/"


class S3Archive:
    """One object per checkpoint. Nothing is deleted, so that the bucket may have an object lock."""

    def __init__(self, bucket: S3ArchiveConfig) -> None:
        self._bucket = bucket
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._client: S3Client | None = None

    @property
    def place(self) -> str:
        return f"s3://{self._bucket.bucket}/{self._bucket.prefix}"

    async def keep(self, size: int, note: str) -> None:
        """See CheckpointArchive.keep."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._keep, size, note)

    async def aclose(self) -> None:
        """Close the connections and end the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    def _keep(self, size: int, note: str) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._client is None:
                self._client = _connect(self._bucket)
            self._keep_with(self._client, size, note)
        except ClientError as error:
            raise ArchiveUnavailable(_code(error)) from error
        except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not a URL
            raise ArchiveUnavailable(type(error).__name__) from error

    def _keep_with(self, client: S3Client, size: int, note: str) -> None:
        found = self._read(client, object_name(size))
        if found is None:
            found = self._add(client, object_name(size), note)
        if found != note:
            raise ConflictingNote(f"{object_name(size)} in {self.place} differs from the note to store")
        if is_older(self._read(client, LATEST), size):
            self._put(client, LATEST, note)

    def _read(self, client: S3Client, name: str) -> str | None:
        from botocore.exceptions import ClientError

        try:
            answer = client.get_object(Bucket=self._bucket.bucket, Key=self._bucket.prefix + name)
        except ClientError as error:
            if _code(error) in _MISSING:
                return None
            raise
        return answer["Body"].read().decode("utf-8", "replace")

    def _add(self, client: S3Client, name: str, note: str) -> str | None:
        """Create the object; returns the text that is stored then, which may be another writer's."""
        from botocore.exceptions import ClientError

        try:
            self._put(client, name, note, condition="*")
        except ClientError as error:
            if _code(error) in _ALREADY_EXISTS:
                return self._read(client, name)
            if _code(error) not in _CONDITIONS_UNSUPPORTED:
                raise
            self._put(client, name, note)
        return note

    def _put(self, client: S3Client, name: str, note: str, condition: str | None = None) -> None:
        key, body, kind = self._bucket.prefix + name, note.encode(), "text/plain; charset=utf-8"
        if condition is None:
            client.put_object(Bucket=self._bucket.bucket, Key=key, Body=body, ContentType=kind)
        else:
            client.put_object(
                Bucket=self._bucket.bucket, Key=key, Body=body, ContentType=kind, IfNoneMatch=condition
            )


def _code(error: object) -> str:
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", "unknown"))


def _connect(bucket: S3ArchiveConfig) -> S3Client:
    # Called in the archive's thread, not in the event loop: importing boto3 takes a while.
    access = S3Access(
        endpoint=bucket.endpoint,
        access_key=bucket.access_key,
        secret_key=bucket.secret_key,
        region=bucket.region,
    )
    return s3_client(
        access,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
