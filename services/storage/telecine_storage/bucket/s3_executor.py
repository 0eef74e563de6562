"""Calls boto3 in threads and converts its errors to BucketError."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict, TypeVar

from telecine_chassis.s3_client import S3Access, s3_client

from .port import BucketError, BucketRefused, BucketUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 10
READ_SECONDS = 60
ATTEMPTS = 3
_THREADS = 4
_RETRYABLE_STATUSES = frozenset({408, 425, 429})
# 4xx responses that mean that bytes were lost or damaged in transit.
_RETRYABLE_CODES = frozenset({"BadDigest", "IncompleteBody", "RequestTimeout", "XAmzContentSHA256Mismatch"})

T = TypeVar("T")


class ContentMD5(TypedDict, total=False):
    """The header of that name."""

    ContentMD5: str


@dataclass(frozen=True, slots=True)
class S3Config:
    """Address and credentials of the bucket. The region is "auto" on R2; rclone ignores it."""

    endpoint: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "auto"
    checksums: bool = True
    """Whether bodies carry a Content-MD5 and are signed. Without it the caller must compare every object itself."""


class ObjectMissing(BucketRefused):
    """There is no object under the key."""


class UploadNotFound(BucketUnavailable):
    """The multipart upload was aborted or completed."""


class S3Executor:
    """One boto3 client, created at the first call, and a few threads for its calls."""

    def __init__(self, config: S3Config) -> None:
        self._config = config
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="bucket")
        self._making = threading.Lock()
        self._client: S3Client | None = None

    def checksum(self, body: bytes) -> ContentMD5:
        """The arguments by which the server checks a body. Rclone, R2 and S3 verify no other checksum."""
        if not self._config.checksums:
            return {}
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        return {"ContentMD5": base64.b64encode(digest).decode("ascii")}

    async def start(self) -> None:
        """Creates the client, which takes some tenths of a second at the first call otherwise."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._s3)

    async def aclose(self) -> None:
        """Closes the connections and ends the threads."""
        self._threads.shutdown(wait=False)
        if self._client is not None:
            self._client.close()

    async def run(self, act: Callable[[S3Client], T]) -> T:
        """Calls `act` with the client in a thread. Raises BucketError."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._act, act)

    def _act(self, act: Callable[[S3Client], T]) -> T:
        client = self._s3()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return act(client)
        except ClientError as error:
            raise _translated(error) from error
        except BotoCoreError as error:
            raise BucketUnavailable(type(error).__name__) from error

    def _s3(self) -> S3Client:
        with self._making:
            if self._client is None:
                self._client = _connect(self._config)
            return self._client


def _connect(config: S3Config) -> S3Client:
    # Only called in a worker thread, because loading boto3 takes some tenths of a second.
    from botocore.handlers import convert_body_to_file_like_object

    access = S3Access(
        endpoint=config.endpoint,
        access_key=config.access_key,
        secret_key=config.secret_key,
        region=config.region,
    )
    client = s3_client(
        access,
        sign_bodies=config.checksums,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=_THREADS,
    )
    for operation in ("PutObject", "UploadPart"):
        # A body would become a file: announced with Expect, one more round trip, and sent in pieces of 16 KiB.
        client.meta.events.unregister(
            f"before-parameter-build.s3.{operation}", convert_body_to_file_like_object
        )
    return client


def _translated(error: ClientError) -> BucketError:
    code = error.response.get("Error", {}).get("Code", "unknown")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if code == "NoSuchUpload":
        return UploadNotFound(code)
    if status >= 500 or status in _RETRYABLE_STATUSES or code in _RETRYABLE_CODES:
        return BucketUnavailable(code)
    return ObjectMissing(code) if code in ("404", "NoSuchKey") else BucketRefused(code)
