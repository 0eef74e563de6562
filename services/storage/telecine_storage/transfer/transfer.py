"""Transfers a finished video from the provider to the bucket, in one pass and in bounded memory."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from telecine_contracts.storage import StorageFailure
from telecine_contracts.subjects import TOKEN, token
from telecine_storage.bucket.port import Bucket, BucketError
from telecine_storage.source.port import Download, Source, SourceError, SourceNotReady, SourceRefused

from .mp4 import InvalidVideo, Mp4Checker, Mp4Metadata

_KEY = re.compile(rf"videos/[^/]+/video_({TOKEN.pattern})\.mp4")


@dataclass(frozen=True, slots=True)
class TransferLimits:
    """Maximum size of a result in bytes, and maximum duration of a transfer in seconds."""

    max_bytes: int = 2 * 1024**3
    seconds: float = 900.0


@dataclass(frozen=True, slots=True)
class TransferResult:
    """The stored object: bytes, SHA-256 in hex, picture size in pixels, duration in seconds."""

    bytes: int
    sha256: str
    width: int
    height: int
    duration_seconds: float


class CopyFailed(Exception):
    """Nothing was stored. `permanent`: further tries with this URL will fail, too.

    A failure of the bucket is never permanent: an operator can fix it before the URL expires.
    """

    def __init__(self, kind: StorageFailure, reason: str, *, permanent: bool) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason
        self.permanent = permanent


def object_key(account: str, generation: str) -> str:
    """The object key of a generation's video. Raises BadToken for ids that a subject cannot contain."""
    return f"{account_prefix(account)}video_{token(generation)}.mp4"


def account_prefix(account: str) -> str:
    """What the object keys of an account's videos begin with, and no other. Raises BadToken."""
    return f"videos/{token(account)}/"


def generation_of(key: str) -> str | None:
    """The generation whose video has this object key; None if it is not the key of a video."""
    match = _KEY.fullmatch(key)
    return match[1] if match else None


async def transfer(
    source: Source, bucket: Bucket, *, url: str, key: str, limits: TransferLimits, sha256: str | None = None
) -> TransferResult:
    """Copies the video at `url` to `key`. After CopyFailed or a cancellation the object under the key is unchanged.

    The object appears only after all checks have passed: announced length, complete mp4 with a picture and a
    duration, and the hash if `sha256` (in hex) is given.
    """
    try:
        async with asyncio.timeout(limits.seconds), source.open(url, max_bytes=limits.max_bytes) as download:
            examined = _Examined(download, sha256)
            async with aclosing(examined.chunks()) as chunks:
                await bucket.put_stream(key, chunks)
            copied = examined.copied()
            await bucket.confirm(key, copied.bytes, copied.sha256)
            return copied
    except SourceError as error:
        raise CopyFailed(
            StorageFailure.SOURCE, error.reason, permanent=isinstance(error, SourceRefused)
        ) from error
    except InvalidVideo as error:
        raise CopyFailed(StorageFailure.SOURCE, error.reason, permanent=not error.truncated) from error
    except BucketError as error:
        raise CopyFailed(StorageFailure.BUCKET, error.reason, permanent=False) from error
    except TimeoutError as error:
        raise CopyFailed(StorageFailure.SOURCE, f"took over {limits.seconds:g} s", permanent=False) from error


class _Examined:
    """Passes a download through while checking it; the stream ends without an error only if all checks pass."""

    def __init__(self, download: Download, sha256: str | None) -> None:
        self._download = download
        self._expected = sha256
        self._checker = Mp4Checker()
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._facts: Mp4Metadata | None = None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async for chunk in self._download.chunks:
            self._checker.feed(chunk)
            self._digest.update(chunk)
            self._bytes += len(chunk)
            yield chunk
        if self._download.length not in (None, self._bytes):
            raise SourceNotReady(f"{self._bytes} bytes came, {self._download.length} were announced")
        if self._expected not in (None, self._digest.hexdigest()):
            raise SourceRefused("the provider's file is not the one that was stored")
        self._facts = self._checker.finish()

    def copied(self) -> TransferResult:
        """The result. Raises RuntimeError if the stream was not read to its end."""
        if self._facts is None:
            raise RuntimeError("the bucket stored an object without reading the stream to its end")
        facts = self._facts
        return TransferResult(
            self._bytes, self._digest.hexdigest(), facts.width, facts.height, facts.duration_seconds
        )
