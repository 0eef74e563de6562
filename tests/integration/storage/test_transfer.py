"""A finished video is transferred from an HTTP server to an S3 server, complete and checked, or not at all."""

import asyncio
import hashlib
import secrets
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace

import pytest
from tests.support.data.mp4_files import mp4, mp4_with_padding
from tests.support.event_loops import run_in_new_loop
from tests.support.http_servers.result_server import Answer, ResultServer, result_server
from tests.support.servers.instances import S3Server

from telecine_contracts.storage import StorageFailure
from telecine_contracts.subjects import BadToken
from telecine_storage.bucket.memory import MemoryBucket
from telecine_storage.bucket.port import BucketRefused, BucketUnavailable
from telecine_storage.bucket.s3 import S3Bucket, S3Config
from telecine_storage.source.http import HttpSource, SourcePolicy
from telecine_storage.source.memory import MemorySource
from telecine_storage.transfer.transfer import (
    CopyFailed,
    TransferLimits,
    TransferResult,
    object_key,
    transfer,
)

MIB = 1024 * 1024


@dataclass(frozen=True)
class CopyHarness:
    """A provider, a bucket, and a key of its own for each test."""

    source: HttpSource
    bucket: S3Bucket
    provider: ResultServer
    s3: S3Server
    name: str
    key: str
    limits: TransferLimits = field(default_factory=TransferLimits)

    async def transfer(self, answer: Answer) -> TransferResult:
        url = self.provider.at("/result.mp4?signature=secret", answer)
        return await transfer(self.source, self.bucket, url=url, key=self.key, limits=self.limits)

    async def fails(self, answer: Answer) -> CopyFailed:
        """The failure; nothing is left in the bucket after it."""
        with pytest.raises(CopyFailed) as failed:
            await self.transfer(answer)
        assert await self.bucket.head(self.key) is None
        assert "secret" not in str(failed.value)
        return failed.value

    def stored(self) -> bytes:
        with self.s3.client() as client:
            return client.get_object(Bucket=self.name, Key=self.key)["Body"].read()


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> Iterator[tuple[S3Bucket, str]]:
    """One bucket for the module, because each boto3 client takes a while to create."""
    name = s3.new_bucket()
    bucket = S3Bucket(S3Config(s3.endpoint, name, s3.access_key, s3.secret_key))
    yield bucket, name
    run_in_new_loop(bucket.aclose())


@pytest.fixture
async def harness(s3: S3Server, bucket: tuple[S3Bucket, str]) -> AsyncIterator[CopyHarness]:
    source = HttpSource(SourcePolicy(allow_private=True))
    key = object_key("account-1", secrets.token_hex(8))
    async with result_server() as provider:
        yield CopyHarness(source, bucket[0], provider, s3, bucket[1], key)
        await source.aclose()


@pytest.fixture(scope="module")
def video() -> bytes:
    return mp4()


@pytest.mark.parametrize(("size", "announced"), [(None, True), (16 * MIB + 1, False)])
async def test_a_video_is_stored_unchanged(
    harness: CopyHarness, video: bytes, size: int | None, announced: bool
) -> None:
    file = mp4_with_padding(video, size) if size else video
    copied = await harness.transfer(Answer(file, length=len(file) if announced else None))
    assert copied == TransferResult(len(file), hashlib.sha256(file).hexdigest(), 320, 192, 1.0)
    assert harness.stored() == file


async def test_the_content_type_of_the_provider_is_ignored(harness: CopyHarness, video: bytes) -> None:
    for content_type in ("application/octet-stream", "text/html", None):
        await harness.transfer(Answer(video, content_type=content_type))
    with harness.s3.client() as client:
        assert client.head_object(Bucket=harness.name, Key=harness.key)["ContentType"] == "video/mp4"


async def test_a_repeated_transfer_has_the_same_result(harness: CopyHarness, video: bytes) -> None:
    assert await harness.transfer(Answer(video)) == await harness.transfer(Answer(video))
    assert harness.stored() == video


PAGE = b"<!DOCTYPE html><html><body>" + b"This video has moved. " * 1000
LARGE_LENGTH = 9 * MIB


@pytest.mark.parametrize(("length", "announced"), [(1000, True), (LARGE_LENGTH, False)])
async def test_an_interrupted_download_may_be_retried(
    harness: CopyHarness, video: bytes, length: int, announced: bool
) -> None:
    file = mp4_with_padding(video, 2 * length) if length == LARGE_LENGTH else video
    failed = await harness.fails(Answer(file, length=len(file) if announced else None, cut_after=length))
    assert (failed.kind, failed.permanent) == (StorageFailure.SOURCE, False)


async def test_a_web_page_is_refused_permanently(harness: CopyHarness) -> None:
    for content_type in ("text/html", "video/mp4"):
        failed = await harness.fails(Answer(PAGE, content_type=content_type))
        assert (failed.kind, failed.permanent) == (StorageFailure.SOURCE, True)


async def test_an_empty_response_may_be_retried(harness: CopyHarness) -> None:
    failed = await harness.fails(Answer(b""))
    assert (failed.kind, failed.permanent) == (StorageFailure.SOURCE, False)


@pytest.mark.parametrize(("status", "permanent"), [(404, True), (503, False)])
async def test_an_error_status_is_permanent_or_not(
    harness: CopyHarness, status: int, permanent: bool
) -> None:
    failed = await harness.fails(Answer(PAGE, status=status))
    assert (failed.kind, failed.permanent) == (StorageFailure.SOURCE, permanent)
    assert str(status) in failed.reason


@pytest.mark.parametrize("announced", [True, False])
async def test_a_video_above_the_size_limit_is_refused(
    harness: CopyHarness, video: bytes, announced: bool
) -> None:
    file = mp4_with_padding(video, MIB)
    narrow = replace(harness, limits=TransferLimits(max_bytes=len(file) - 1))
    failed = await narrow.fails(Answer(file, length=len(file) if announced else None))
    assert (failed.kind, failed.permanent) == (StorageFailure.SOURCE, True)
    await replace(harness, limits=TransferLimits(max_bytes=len(file))).transfer(Answer(file))


async def test_a_transfer_has_a_time_limit(harness: CopyHarness, video: bytes) -> None:
    """The provider sends less than it announced and keeps the connection open."""
    hurried, hold = replace(harness, limits=TransferLimits(seconds=0.3)), asyncio.Event()
    failed = await hurried.fails(Answer(mp4_with_padding(video, MIB), length=2 * MIB, hold=hold))
    hold.set()
    assert (failed.kind, failed.permanent) == (StorageFailure.SOURCE, False)


async def test_a_failed_transfer_leaves_the_stored_video(harness: CopyHarness, video: bytes) -> None:
    await harness.transfer(Answer(video))
    for answer in (
        Answer(PAGE),
        Answer(mp4_with_padding(video, LARGE_LENGTH), cut_after=LARGE_LENGTH - 1),
        Answer(status=403),
    ):
        with pytest.raises(CopyFailed):
            await harness.transfer(answer)
    assert harness.stored() == video


@pytest.mark.parametrize("error", [BucketRefused("AccessDenied"), BucketUnavailable("SlowDown")])
async def test_a_failure_of_the_bucket_may_be_retried(
    video: bytes, error: BucketRefused | BucketUnavailable
) -> None:
    source, bucket = MemorySource({"memory:v": video}), MemoryBucket(failure=error)
    with pytest.raises(CopyFailed) as failed:
        await transfer(source, bucket, url="memory:v", key="videos/a/video_g.mp4", limits=TransferLimits())
    assert (failed.value.kind, failed.value.permanent) == (StorageFailure.BUCKET, False)
    assert failed.value.reason == error.reason
    bucket.failure = None
    copied = await transfer(
        source, bucket, url="memory:v", key="videos/a/video_g.mp4", limits=TransferLimits()
    )
    assert bucket.objects == {"videos/a/video_g.mp4": video}
    assert copied.bytes == len(video)


def test_a_generation_has_one_key() -> None:
    assert object_key("acme", "g-1") == object_key("acme", "g-1") == "videos/acme/video_g-1.mp4"
    for account, generation in [("../x", "g"), ("a/b", "g"), ("a", ".."), ("", "g"), ("a", "g.mp4")]:
        with pytest.raises(BadToken):
            object_key(account, generation)


def large(video: bytes, length: int) -> Iterator[bytes]:
    """The video followed by a free box, generated in chunks."""
    left = length - len(video) - 8
    yield video + struct.pack(">I4s", left + 8, b"free")
    piece = bytes(64 * 1024)
    while left > 0:
        yield piece[: min(left, len(piece))]
        left -= len(piece)


async def test_100_megabytes_take_less_than_64_of_memory(harness: CopyHarness, video: bytes) -> None:
    length = 100_000_000
    url = harness.provider.at("/large.mp4", Answer(large(video, length), length=length))
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "tests.support.processes.transfer_memory",
            url,
            harness.s3.endpoint,
            harness.name,
            harness.s3.access_key,
        ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(harness.s3.secret_key.encode() + b"\n")
    grown, copied = map(int, out.split())
    assert copied == length
    assert grown < 64_000_000
