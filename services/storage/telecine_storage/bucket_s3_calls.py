"""Calls boto3 in threads, and turns its errors into the bucket's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from telecine_storage.bucket import BucketError, BucketRefused, BucketUnavailable

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 10
ANSWER_SECONDS = 60
ATTEMPTS = 3
_THREADS = 4
_TRY_AGAIN_STATUSES = frozenset({408, 425, 429})
# 4xx answers which say that the bytes got lost or damaged on the way.
_TRY_AGAIN_CODES = frozenset({"BadDigest", "IncompleteBody", "RequestTimeout", "XAmzContentSHA256Mismatch"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class S3Config:
    """Where the bucket is and who may write to it. The region is "auto" on R2 and of no matter to rclone."""

    endpoint: str
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    region: str = "auto"


class Missing(BucketRefused):
    """There is no object under the key."""


class UploadGone(BucketUnavailable):
    """The multipart upload has been aborted or completed."""


class S3Calls:
    """One boto3 client, made at the first call, and a few threads to call it in."""

    def __init__(self, config: S3Config) -> None:
        self._config = config
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="bucket")
        self._making = threading.Lock()
        self._client: S3Client | None = None

    async def start(self) -> None:
        """Make the client now (some tenths of a second), not at the first call."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._s3)

    async def aclose(self) -> None:
        """Close the connections and end the threads."""
        self._threads.shutdown(wait=False)
        if self._client is not None:
            self._client.close()

    async def run(self, act: Callable[[S3Client], T]) -> T:
        """Call `act` with the client in a thread. Raises BucketError."""
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
    # boto3 costs 25 MB and 0.4 s to load: not before it is needed, and never in the event loop's thread.
    import boto3
    from botocore.config import Config
    from botocore.session import Session

    session = boto3.session.Session(
        aws_access_key_id=config.access_key,
        aws_secret_access_key=config.secret_key,
        region_name=config.region,
        # Settings come from telecine alone, not from an AWS profile that happens to be around.
        botocore_session=Session(session_vars={"profile": (None, None, None, None)}),
    )
    return session.client(
        "s3",
        endpoint_url=config.endpoint,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            # R2 and rclone don't know the checksum trailers that newer clients send by default.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            max_pool_connections=_THREADS,
            proxies={},
        ),
    )


def _translated(error: ClientError) -> BucketError:
    code = error.response.get("Error", {}).get("Code", "unknown")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if code == "NoSuchUpload":
        return UploadGone(code)
    if status >= 500 or status in _TRY_AGAIN_STATUSES or code in _TRY_AGAIN_CODES:
        return BucketUnavailable(code)
    return Missing(code) if code in ("404", "NoSuchKey") else BucketRefused(code)
