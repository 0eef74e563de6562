"""Keeps checkpoints in a bucket of any S3 store, best in another account than the rest."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telecine_chassis.s3_client import S3Access, s3_client

from .port import LATEST, AnotherNote, ArchiveUnavailable, is_older, name_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["ArchiveBucket", "S3Archive"]

CONNECT_SECONDS = 5
ANSWER_SECONDS = 15
_MISSING = {"404", "NoSuchKey"}
_CAME_FIRST = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_NO_CONDITIONS = {"NotImplemented", "501"}


@dataclass(frozen=True, slots=True)
class ArchiveBucket:
    """Where the bucket is and who may write to it. Keys begin with `prefix`; the region is "auto" on R2."""

    endpoint: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "auto"
    prefix: str = "checkpoints/"


class S3Archive:
    """An object a checkpoint. Nothing is ever deleted here: a bucket that locks objects is welcome."""

    def __init__(self, bucket: ArchiveBucket) -> None:
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
        except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
            raise ArchiveUnavailable(type(error).__name__) from error

    def _keep_with(self, client: S3Client, size: int, note: str) -> None:
        found = self._read(client, name_of(size))
        if found is None:
            found = self._add(client, name_of(size), note)
        if found != note:
            raise AnotherNote(f"{name_of(size)} in {self.place} is another note")
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
        """Write what was not there a moment ago; what is there now, which may be somebody else's."""
        from botocore.exceptions import ClientError

        try:
            self._put(client, name, note, condition="*")
        except ClientError as error:
            if _code(error) in _CAME_FIRST:
                return self._read(client, name)
            if _code(error) not in _NO_CONDITIONS:
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


def _connect(bucket: ArchiveBucket) -> S3Client:
    # Never in the event loop's thread: loading boto3 takes a while.
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
