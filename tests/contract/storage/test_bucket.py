"""Contract of every bucket: objects appear complete or not at all. And cases that only S3 has."""

import asyncio
import hashlib
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.event_loops import run_in_new_loop
from tests.support.servers.instances import S3Server, s3_server

from telecine_storage.bucket.memory import MemoryBucket
from telecine_storage.bucket.port import Bucket, BucketRefused, BucketUnavailable
from telecine_storage.bucket.s3 import S3Bucket, S3Config

PART = 5 * 1024 * 1024
"""The smallest part that S3 allows."""
CHUNK = 64 * 1024 - 7


@dataclass(frozen=True)
class BucketCase:
    """A bucket, and a function that reads its objects past the port."""

    bucket: Bucket
    read: Callable[[str], bytes]


@dataclass(frozen=True)
class S3Case(BucketCase):
    """The same in S3, with the unfinished uploads of a key."""

    uploads: Callable[[str], list[str]]
    content_type: Callable[[str], str]
    start_upload: Callable[[str], None]


@pytest.fixture(scope="module")
def s3_case(s3: S3Server) -> Iterator[S3Case]:
    """One S3 bucket for the module, because each boto3 client takes a while to create; tests have their own keys."""
    name = s3.new_bucket()
    bucket = S3Bucket(config(s3, name), part_bytes=PART)
    with s3.client() as client:

        def uploads(key: str) -> list[str]:
            found = client.list_multipart_uploads(Bucket=name).get("Uploads", [])
            return [upload["Key"] for upload in found if upload["Key"].startswith(key)]

        def start_upload(key: str) -> None:
            """As a copy does that is killed in its second part."""
            upload = client.create_multipart_upload(Bucket=name, Key=key)["UploadId"]
            client.upload_part(Bucket=name, Key=key, UploadId=upload, PartNumber=1, Body=noise(PART))

        yield S3Case(
            bucket,
            lambda key: client.get_object(Bucket=name, Key=key)["Body"].read(),
            uploads,
            lambda key: client.head_object(Bucket=name, Key=key)["ContentType"],
            start_upload,
        )
    run_in_new_loop(bucket.aclose())


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.server)])
def case(request: pytest.FixtureRequest) -> BucketCase:
    if request.param == "s3":
        shared: BucketCase = request.getfixturevalue("s3_case")
        return shared
    memory = MemoryBucket()
    return BucketCase(memory, memory.objects.__getitem__)


@pytest.fixture
def key() -> str:
    return f"videos/{secrets.token_hex(8)}/video_1.mp4"


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


# Less than a part, exactly one part, and several parts with a shorter last one.
@pytest.mark.parametrize("size", [1, PART, 2 * PART + 12_345])
async def test_a_stored_object_can_be_read_back(case: BucketCase, size: int, key: str) -> None:
    body = noise(size)
    assert await case.bucket.put_stream(key, stream(body)) == size
    assert await case.bucket.head(key) == size
    assert case.read(key) == body


async def test_keys_are_those_with_the_prefix(case: BucketCase, key: str) -> None:
    folder = key.rpartition("/")[0]
    keys = [f"{folder}/video_{number}.mp4" for number in range(3)]
    for each in (*keys, f"{folder}2/video_1.mp4"):
        await case.bucket.put_stream(each, stream(b"x"))
    assert sorted(await case.bucket.keys(f"{folder}/")) == keys
    for each in keys:
        await case.bucket.delete(each)
    assert await case.bucket.keys(f"{folder}/") == []
    assert await case.bucket.head(f"{folder}2/video_1.mp4") == 1


async def test_a_chunk_larger_than_a_part_is_stored(case: BucketCase, key: str) -> None:
    body = noise(2 * PART + 5)

    async def at_once() -> AsyncIterator[bytes]:
        yield body

    await case.bucket.put_stream(key, at_once())
    assert case.read(key) == body


@pytest.mark.parametrize("size", [1, PART + 1])
async def test_a_stored_object_is_confirmed(case: BucketCase, size: int, key: str) -> None:
    body = noise(size)
    await case.bucket.put_stream(key, stream(body))
    await case.bucket.confirm(key, size, hashlib.sha256(body).hexdigest())
    assert case.read(key) == body


async def test_an_object_that_differs_is_not_confirmed_and_is_gone(case: BucketCase, key: str) -> None:
    body = noise(PART + 1)
    await case.bucket.put_stream(key, stream(body))
    with pytest.raises(BucketUnavailable):
        await case.bucket.confirm(key, len(body) + 1, hashlib.sha256(body + b"!").hexdigest())
    assert await case.bucket.head(key) is None


async def test_an_absent_object_has_no_head(case: BucketCase, key: str) -> None:
    assert await case.bucket.head(key) is None


async def test_an_object_can_be_replaced(case: BucketCase, key: str) -> None:
    for body in (noise(PART + 1), noise(10)):
        await case.bucket.put_stream(key, stream(body))
        assert case.read(key) == body


async def test_a_deleted_object_is_absent(case: BucketCase, key: str) -> None:
    await case.bucket.put_stream(key, stream(b"video"))
    for _ in range(2):
        await case.bucket.delete(key)
        assert await case.bucket.head(key) is None


class Unwanted(Exception):
    """What a failing check raises."""


@pytest.mark.parametrize("size", [0, 100, 2 * PART + 1])
async def test_a_stream_that_fails_leaves_nothing(case: BucketCase, size: int, key: str) -> None:
    with pytest.raises(Unwanted):
        await case.bucket.put_stream(key, stream(noise(size), Unwanted()))
    assert await case.bucket.head(key) is None


@pytest.mark.parametrize("size", [100, 2 * PART + 1])
async def test_a_stream_that_fails_leaves_the_old_object(case: BucketCase, size: int, key: str) -> None:
    await case.bucket.put_stream(key, stream(b"old"))
    with pytest.raises(Unwanted):
        await case.bucket.put_stream(key, stream(noise(size), Unwanted()))
    assert case.read(key) == b"old"


@pytest.mark.parametrize("size", [100, 2 * PART + 1])
async def test_a_cancelled_stream_leaves_nothing(case: BucketCase, size: int, key: str) -> None:
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for chunk in stream(noise(size)):
            yield chunk
        reached.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(case.bucket.put_stream(key, endless()))
    await reached.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await case.bucket.head(key) is None


async def test_concurrent_uploads_are_independent(case: BucketCase, key: str) -> None:
    bodies = {f"{key}.{number}": noise(PART + number) for number in range(3)}
    await asyncio.gather(*(case.bucket.put_stream(name, stream(body)) for name, body in bodies.items()))
    assert {name: case.read(name) for name in bodies} == bodies


async def test_aborting_uploads_without_any_is_a_no_op(case: BucketCase, key: str) -> None:
    await case.bucket.put_stream(key, stream(b"video"))
    await case.bucket.abort_leftovers(key)
    assert case.read(key) == b"video"


@pytest.mark.parametrize("size", [10, PART + 1])
async def test_every_object_is_stored_as_mp4(s3_case: S3Case, size: int) -> None:
    key = f"videos/{secrets.token_hex(8)}/no-ending"
    await s3_case.bucket.put_stream(key, stream(noise(size)))
    assert s3_case.content_type(key) == "video/mp4"


@pytest.mark.parametrize("failure", [Unwanted(), asyncio.CancelledError()])
async def test_no_upload_stays_open(s3_case: S3Case, key: str, failure: BaseException) -> None:
    with pytest.raises(type(failure)):
        await s3_case.bucket.put_stream(key, stream(noise(2 * PART), failure))
    assert s3_case.uploads(key) == []


async def test_the_next_copy_aborts_the_uploads_of_a_killed_one(s3_case: S3Case, key: str) -> None:
    s3_case.start_upload(key)
    s3_case.start_upload(key + ".other")
    assert await s3_case.bucket.head(key) is None
    await s3_case.bucket.put_stream(key, stream(noise(PART + 1)))
    assert s3_case.uploads(key) == [key + ".other"]


async def test_unfinished_uploads_can_be_aborted(s3_case: S3Case, key: str) -> None:
    s3_case.start_upload(key)
    await s3_case.bucket.abort_leftovers(key)
    assert s3_case.uploads(key) == []


async def test_a_wrong_secret_and_a_missing_bucket_need_an_operator(s3: S3Server, s3_bucket: str) -> None:
    wrong = S3Config(s3.endpoint, s3_bucket, s3.access_key, "another secret")
    for bad in (wrong, config(s3, "nowhere")):
        bucket = S3Bucket(bad)
        with pytest.raises(BucketRefused):
            await bucket.put_stream("video", stream(b"video"))
        await bucket.aclose()


async def test_an_unreachable_server_is_unavailable(unused_tcp_port: int) -> None:
    bucket = S3Bucket(S3Config(f"http://127.0.0.1:{unused_tcp_port}", "b", "key", "secret"))
    with pytest.raises(BucketUnavailable):
        await bucket.put_stream("video", stream(noise(10)))
    await bucket.aclose()


@pytest.fixture
def private_s3(tmp_path: Path) -> Iterator[S3Server]:
    with s3_server(tmp_path) as server:
        yield server


@pytest.mark.server
async def test_a_server_killed_during_an_upload_leaves_no_object(private_s3: S3Server, key: str) -> None:
    body, bucket = noise(3 * PART), S3Bucket(config(private_s3, private_s3.new_bucket()), part_bytes=PART)

    async def deadly() -> AsyncIterator[bytes]:
        async for chunk in stream(body[: 2 * PART]):
            yield chunk
        private_s3.kill()
        yield body[2 * PART :]

    with pytest.raises(BucketUnavailable):
        await bucket.put_stream(key, deadly())
    await asyncio.to_thread(private_s3.start)
    assert await bucket.head(key) is None
    assert await bucket.put_stream(key, stream(body)) == len(body)
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
    s3: S3Server, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    (tmp_path / ".aws").mkdir()
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text(FOREIGN_CONFIG)
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login other password other\n")
    for name, value in {
        "HOME": str(tmp_path),
        "AWS_PROFILE": "other",
        "AWS_CONFIG_FILE": str(tmp_path / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / ".aws" / "credentials"),
        "AWS_ACCESS_key_ID": "other",
        "AWS_SECRET_ACCESS_key": "other",
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
    assert await bucket.put_stream(key, stream(b"video")) == 5
    await bucket.aclose()


async def test_the_representation_of_the_settings_hides_the_keys() -> None:
    shown = repr(S3Config("http://127.0.0.1", "b", "the-key", "the-secret"))
    assert "the-key" not in shown
    assert "the-secret" not in shown


async def test_boto3_is_loaded_at_the_first_call_only() -> None:
    program = "import sys, telecine_storage.bucket.s3; sys.exit('boto3' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
