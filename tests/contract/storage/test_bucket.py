"""Every bucket keeps an object whole or not at all; and what only S3 can do wrong."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.servers.instances import S3Server, s3_server

from telecine_storage.bucket.memory import MemoryBucket
from telecine_storage.bucket.port import Bucket, BucketRefused, BucketUnavailable
from telecine_storage.bucket.s3 import PART_BYTES, S3Bucket, S3Config

KEY = "videos/account-1/video_1.mp4"
PART = 5 * 1024 * 1024
CHUNK = 64 * 1024 - 7


@dataclass(frozen=True)
class Kept:
    """A bucket, and a look into it past the port."""

    bucket: Bucket
    read: Callable[[str], bytes]


@pytest.fixture
async def s3_case(s3: S3Server, s3_bucket: str) -> AsyncIterator[Kept]:
    def read(key: str) -> bytes:
        with s3.client() as client:
            return client.get_object(Bucket=s3_bucket, Key=key)["Body"].read()

    bucket = S3Bucket(config(s3, s3_bucket), part_bytes=PART)
    yield Kept(bucket, read)
    await bucket.aclose()


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.server)])
def case(request: pytest.FixtureRequest) -> Kept:
    if request.param == "s3":
        kept: Kept = request.getfixturevalue("s3_case")
        return kept
    memory = MemoryBucket()
    return Kept(memory, memory.objects.__getitem__)


def config(s3: S3Server, bucket: str) -> S3Config:
    return S3Config(s3.endpoint, bucket, s3.access_key, s3.secret_key)


def noise(length: int) -> bytes:
    """Bytes of which no two parts are alike."""
    return hashlib.shake_128(b"video").digest(length)


async def stream(body: bytes, then: BaseException | None = None) -> AsyncIterator[bytes]:
    for at in range(0, len(body), CHUNK):
        yield body[at : at + CHUNK]
    if then is not None:
        raise then


def uploads(s3: S3Server, bucket: str) -> list[str]:
    with s3.client() as client:
        return [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


SIZES = [1, 200_000, PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 12_345]


@pytest.mark.parametrize("size", SIZES)
async def test_a_stored_object_can_be_read_back(case: Kept, size: int) -> None:
    body = noise(size)
    assert await case.bucket.put_stream(KEY, stream(body)) == size
    assert await case.bucket.head(KEY) == size
    assert case.read(KEY) == body


async def test_a_chunk_larger_than_a_part_is_stored(case: Kept) -> None:
    body = noise(2 * PART + 5)

    async def at_once() -> AsyncIterator[bytes]:
        yield body

    await case.bucket.put_stream(KEY, at_once())
    assert case.read(KEY) == body


async def test_an_absent_object_has_no_head(case: Kept) -> None:
    assert await case.bucket.head(KEY) is None


async def test_the_same_key_again_replaces(case: Kept) -> None:
    for body in (noise(PART + 1), noise(10), noise(2 * PART)):
        await case.bucket.put_stream(KEY, stream(body))
        assert case.read(KEY) == body


async def test_delete(case: Kept) -> None:
    await case.bucket.put_stream(KEY, stream(b"video"))
    for _ in range(2):
        await case.bucket.delete(KEY)
        assert await case.bucket.head(KEY) is None


class Unwanted(Exception):
    """What a failing check raises."""


@pytest.mark.parametrize("size", [0, 100, PART, 2 * PART + 1])
async def test_a_stream_that_fails_leaves_nothing(case: Kept, size: int) -> None:
    with pytest.raises(Unwanted):
        await case.bucket.put_stream(KEY, stream(noise(size), Unwanted()))
    assert await case.bucket.head(KEY) is None


@pytest.mark.parametrize("size", [100, 2 * PART + 1])
async def test_a_stream_that_fails_leaves_the_old_object(case: Kept, size: int) -> None:
    await case.bucket.put_stream(KEY, stream(b"old"))
    with pytest.raises(Unwanted):
        await case.bucket.put_stream(KEY, stream(noise(size), Unwanted()))
    assert case.read(KEY) == b"old"


@pytest.mark.parametrize("size", [100, PART, 2 * PART + 1])
async def test_a_cancelled_stream_leaves_nothing(case: Kept, size: int) -> None:
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for chunk in stream(noise(size)):
            yield chunk
        reached.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(case.bucket.put_stream(KEY, endless()))
    await reached.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await case.bucket.head(KEY) is None


async def test_many_at_once(case: Kept) -> None:
    bodies = {f"videos/a/video_{number}.mp4": noise(PART + number) for number in range(6)}
    await asyncio.gather(*(case.bucket.put_stream(key, stream(body)) for key, body in bodies.items()))
    assert {key: case.read(key) for key in bodies} == bodies


async def test_aborting_uploads_without_any_is_a_no_op(case: Kept) -> None:
    await case.bucket.put_stream(KEY, stream(b"video"))
    await case.bucket.abort_leftovers(KEY)
    assert case.read(KEY) == b"video"


@pytest.mark.parametrize("size", [10, PART + 1])
async def test_every_object_is_stored_as_mp4(s3: S3Server, s3_bucket: str, s3_case: Kept, size: int) -> None:
    key = "videos/a/no-ending"
    await s3_case.bucket.put_stream(key, stream(noise(size)))
    with s3.client() as client:
        assert client.head_object(Bucket=s3_bucket, Key=key)["ContentType"] == "video/mp4"


@pytest.mark.parametrize("failure", [Unwanted(), asyncio.CancelledError()])
async def test_no_upload_stays_open(
    s3: S3Server, s3_bucket: str, s3_case: Kept, failure: BaseException
) -> None:
    with pytest.raises(type(failure)):
        await s3_case.bucket.put_stream(KEY, stream(noise(3 * PART), failure))
    assert uploads(s3, s3_bucket) == []


def leave(s3: S3Server, bucket: str, key: str) -> None:
    """What a copy leaves behind that was killed in its second part."""
    with s3.client() as client:
        upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=noise(PART))


async def test_the_next_copy_aborts_the_uploads_of_a_killed_one(
    s3: S3Server, s3_bucket: str, s3_case: Kept
) -> None:
    leave(s3, s3_bucket, KEY)
    leave(s3, s3_bucket, KEY + ".other")
    assert await s3_case.bucket.head(KEY) is None
    await s3_case.bucket.put_stream(KEY, stream(noise(PART + 1)))
    assert uploads(s3, s3_bucket) == [KEY + ".other"]


async def test_leftovers_of_a_copy_that_was_given_up(s3: S3Server, s3_bucket: str, s3_case: Kept) -> None:
    leave(s3, s3_bucket, KEY)
    await s3_case.bucket.abort_leftovers(KEY)
    assert uploads(s3, s3_bucket) == []


async def test_a_wrong_secret_and_a_missing_bucket_need_an_operator(s3: S3Server, s3_bucket: str) -> None:
    wrong = S3Config(s3.endpoint, s3_bucket, s3.access_key, "another secret")
    for bad in (wrong, config(s3, "nowhere")):
        bucket = S3Bucket(bad)
        with pytest.raises(BucketRefused):
            await bucket.put_stream(KEY, stream(b"video"))
        await bucket.aclose()


@pytest.mark.parametrize("size", [10, PART_BYTES + 1])
async def test_a_server_that_is_not_there(unused_tcp_port: int, size: int) -> None:
    bucket = S3Bucket(S3Config(f"http://127.0.0.1:{unused_tcp_port}", "b", "key", "secret"))
    with pytest.raises(BucketUnavailable):
        await bucket.put_stream(KEY, stream(noise(size)))
    await bucket.aclose()


@pytest.fixture
def private_s3(tmp_path: Path) -> Iterator[S3Server]:
    with s3_server(tmp_path) as server:
        yield server


@pytest.mark.server
@pytest.mark.parts("restart")
async def test_a_server_killed_during_an_upload_leaves_no_object(private_s3: S3Server) -> None:
    body, bucket = noise(3 * PART), S3Bucket(config(private_s3, private_s3.new_bucket()), part_bytes=PART)

    async def deadly() -> AsyncIterator[bytes]:
        async for chunk in stream(body[: 2 * PART]):
            yield chunk
        private_s3.kill()
        yield body[2 * PART :]

    with pytest.raises(BucketUnavailable):
        await bucket.put_stream(KEY, deadly())
    await asyncio.to_thread(private_s3.start)
    assert await bucket.head(KEY) is None
    assert await bucket.put_stream(KEY, stream(body)) == len(body)
    await bucket.aclose()


FOREIGN_CONFIG = """
[default]
region = eu-west-1
endpoint_url = http://127.0.0.1:9
ca_bundle = /nowhere.pem
max_attempts = 1
request_checksum_calculation = when_supported
s3 =
    addressing_style = virtual
    use_accelerate_endpoint = true
[default
this file is damaged
"""


async def test_the_aws_environment_is_ignored(
    s3: S3Server, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".aws").mkdir()
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text(FOREIGN_CONFIG)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    for name, value in {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "nobody",
        "AWS_CONFIG_FILE": str(tmp_path / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / ".aws" / "credentials"),
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_MAX_ATTEMPTS": "many",
        "AWS_RETRY_MODE": "none of these",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "none of these",
        "AWS_S3_USE_ARN_REGION": "true",
        "AWS_CA_BUNDLE": "/nowhere.pem",
        "AWS_DATA_PATH": "/nowhere",
        "REQUESTS_CA_BUNDLE": "/nowhere.pem",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = S3Bucket(config(s3, s3_bucket))
    await bucket.start()
    assert await bucket.put_stream(KEY, stream(b"video")) == 5
    await bucket.aclose()


async def test_the_keys_are_not_shown() -> None:
    shown = repr(S3Config("http://127.0.0.1", "b", "the-key", "the-secret"))
    assert "the-key" not in shown
    assert "the-secret" not in shown


async def test_boto3_is_loaded_at_the_first_call_only() -> None:
    program = "import sys, telecine_storage.bucket.s3; sys.exit('boto3' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
