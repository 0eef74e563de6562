"""Contract of the content port: exactly the requested range, or an error."""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from tests.support.servers.instances import S3Server

from telecine_gateway.content.byte_ranges import ByteRange
from telecine_gateway.content.memory import MemoryContent
from telecine_gateway.content.port import Content, ContentUnavailable
from telecine_gateway.content.s3 import S3Config, S3Content

KEY = "videos/ann/video_1.mp4"
BODY = hashlib.shake_128(b"video").digest(300_000)


@dataclass(frozen=True)
class Kept:
    """A store, and a function that writes objects into it."""

    content: Content
    bucket: str
    put: Callable[[str, bytes], None]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def s3_case(s3: S3Server) -> AsyncIterator[Kept]:
    bucket = s3.new_bucket()

    def put(key: str, body: bytes) -> None:
        with s3.client() as client:
            client.put_object(Bucket=bucket, Key=key, Body=body)

    content = S3Content(S3Config(s3.endpoint, s3.region, s3.access_key, s3.secret_key))
    await content.start()
    yield Kept(content, bucket, put)
    await content.stop()


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.server)])
def case(request: pytest.FixtureRequest) -> Kept:
    if request.param == "s3":
        kept: Kept = request.getfixturevalue("s3_case")
        return kept
    memory = MemoryContent()
    return Kept(memory, "bucket", lambda key, body: memory.objects.update({("bucket", key): body}))


async def read(case: Kept, part: ByteRange, key: str = KEY) -> bytes:
    download = await case.content.open(case.bucket, key, part)
    try:
        return b"".join([chunk async for chunk in download.chunks()])
    finally:
        await download.close()


@pytest.mark.parametrize(("start", "end"), [(0, 299_999), (0, 0), (1, 65_536), (299_999, 299_999)])
async def test_exactly_the_requested_range_is_returned(case: Kept, start: int, end: int) -> None:
    case.put(KEY, BODY)
    assert await read(case, ByteRange(start, end, len(BODY))) == BODY[start : end + 1]


async def test_an_object_that_is_not_there(case: Kept) -> None:
    with pytest.raises(ContentUnavailable):
        await read(case, ByteRange(0, 9, 10), key="videos/ann/video_2.mp4")


async def test_an_object_shorter_than_declared_is_an_error(case: Kept) -> None:
    case.put(KEY, BODY[:1000])
    with pytest.raises(ContentUnavailable):
        await read(case, ByteRange(0, 299_999, len(BODY)))


async def test_a_download_can_be_closed_early_and_twice(case: Kept) -> None:
    case.put(KEY, BODY)
    download = await case.content.open(case.bucket, KEY, ByteRange(0, 299_999, len(BODY)))
    async for chunk in download.chunks():
        assert BODY.startswith(chunk)
        break
    await download.close()
    await download.close()
