"""Every content store hands out exactly the part that was asked for, or says that it can't."""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from tests.support.servers.instances import S3Server

from telecine_gateway.content.byte_ranges import Slice
from telecine_gateway.content.memory import MemoryContent
from telecine_gateway.content.port import Content, ContentUnavailable
from telecine_gateway.content.s3 import S3Config, S3Content

KEY = "videos/ann/video_1.mp4"
BODY = hashlib.shake_128(b"video").digest(300_000)


@dataclass(frozen=True)
class Kept:
    """A store, and a way to put an object into it past the port."""

    content: Content
    bucket: str
    put: Callable[[str, bytes], None]


@pytest.fixture
async def s3_kept(s3: S3Server, s3_bucket: str) -> AsyncIterator[Kept]:
    def put(key: str, body: bytes) -> None:
        with s3.client() as client:
            client.put_object(Bucket=s3_bucket, Key=key, Body=body)

    content = S3Content(S3Config(s3.endpoint, s3.region, s3.access_key, s3.secret_key))
    await content.start()
    yield Kept(content, s3_bucket, put)
    await content.stop()


@pytest.fixture(params=["memory", "s3"])
def kept(request: pytest.FixtureRequest, s3_kept: Kept) -> Kept:
    if request.param == "s3":
        return s3_kept
    memory = MemoryContent()
    return Kept(memory, "bucket", lambda key, body: memory.objects.update({("bucket", key): body}))


async def read(kept: Kept, part: Slice, key: str = KEY) -> bytes:
    download = await kept.content.open(kept.bucket, key, part)
    try:
        return b"".join([chunk async for chunk in download.chunks()])
    finally:
        await download.close()


@pytest.mark.parametrize(("start", "end"), [(0, 299_999), (0, 0), (1, 65_536), (299_999, 299_999)])
async def test_exactly_the_part_that_was_asked_for(kept: Kept, start: int, end: int) -> None:
    kept.put(KEY, BODY)
    assert await read(kept, Slice(start, end, len(BODY))) == BODY[start : end + 1]


async def test_an_object_that_is_not_there(kept: Kept) -> None:
    with pytest.raises(ContentUnavailable):
        await read(kept, Slice(0, 9, 10), key="videos/ann/video_2.mp4")


async def test_an_object_that_is_shorter_than_it_was_said_to_be(kept: Kept) -> None:
    kept.put(KEY, BODY[:1000])
    with pytest.raises(ContentUnavailable):
        await read(kept, Slice(0, 299_999, len(BODY)))


async def test_letting_go_early_and_twice(kept: Kept) -> None:
    kept.put(KEY, BODY)
    download = await kept.content.open(kept.bucket, KEY, Slice(0, 299_999, len(BODY)))
    async for chunk in download.chunks():
        assert BODY.startswith(chunk)
        break
    await download.close()
    await download.close()
