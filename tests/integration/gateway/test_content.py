"""Content of stored videos over HTTP, from a real S3 server."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from tests.support.data.video_events import GenerationEvents
from tests.support.environments.gateway import AccountClient, Gateway, GatewayEnvironment, gateway_environment
from tests.support.eventually import eventually
from tests.support.http_servers.scripted_server import RawRequest, Reply, raw_server, reset, send_slowly
from tests.support.servers.instances import S3Server, nats_server

VIDEO = random.Random(1).randbytes(300_000)  # noqa: S311  any bytes will do
ETAG = f'"{hashlib.sha256(VIDEO).hexdigest()}"'


@dataclass
class Stored:
    """A stored video of an account, and where it can be fetched."""

    owner: AccountClient
    gateway: Gateway
    of: GenerationEvents

    @property
    def path(self) -> str:
        return f"/api/video/{self.of.generation}/content"


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.server]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayEnvironment]:
    """One NATS server for all tests of this module."""
    folder = tmp_path_factory.mktemp("gateway")
    async with nats_server(folder) as nats, gateway_environment(nats, folder) as shared:
        yield shared


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(shared: GatewayEnvironment, s3: S3Server) -> AsyncIterator[Gateway]:
    access = {"s3_access_key": s3.access_key, "s3_secret_key": s3.secret_key, "s3_region": s3.region}
    async with shared.gateway(s3_endpoint=s3.endpoint, **access) as gateway:
        yield gateway


@pytest.fixture
def environment(shared: GatewayEnvironment) -> GatewayEnvironment:
    return shared.for_test()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stored_video(shared: GatewayEnvironment, gateway: Gateway, s3: S3Server) -> Stored:
    """One video for all tests that only read it."""
    bucket = s3.new_bucket()
    owner = await shared.owner(gateway)
    of = GenerationEvents(owner.account, str(uuid4()))
    event = of.stored(bucket=bucket, size=len(VIDEO), sha256=ETAG.strip('"'))
    with s3.client() as client:
        client.put_object(Bucket=bucket, Key=event.key, Body=VIDEO)
    await shared.append(of.requested())
    await shared.append(event)
    for _ in range(400):
        if (await owner.get("/api/video/history")).json()["items"]:
            return Stored(owner, gateway, of)
    raise AssertionError("the video does not appear")


async def test_full_video_returns_200(stored_video: Stored) -> None:
    answer = await stored_video.owner.get(stored_video.path)

    assert answer.status_code == 200
    assert answer.content == VIDEO
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(VIDEO))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == ETAG
    assert (
        answer.headers["content-disposition"] == f'inline; filename="video_{stored_video.of.generation}.mp4"'
    )


async def test_range_returns_206(stored_video: Stored) -> None:
    size = len(VIDEO)
    for asked, start, end in (
        ("bytes=0-0", 0, 0),
        ("bytes=1000-1999", 1000, 1999),
        ("bytes=299000-", 299000, size - 1),
        ("bytes=-500", size - 500, size - 1),
        ("bytes=0-9999999", 0, size - 1),
    ):
        headers = stored_video.owner.headers(Range=asked)
        answer = await stored_video.gateway.http.get(stored_video.path, headers=headers)
        head = await stored_video.gateway.http.head(stored_video.path, headers=headers)

        assert (answer.status_code, head.status_code) == (206, 200)  # a range is for GET alone
        assert answer.content == VIDEO[start : end + 1]
        assert answer.headers["content-range"] == f"bytes {start}-{end}/{size}"
        assert answer.headers["content-length"] == str(end - start + 1)
        assert head.headers["content-length"] == str(size)


async def test_conditional_and_unsatisfiable_ranges(stored_video: Stored) -> None:
    async def status(**headers: str) -> tuple[int, int]:
        answer = await stored_video.gateway.http.get(
            stored_video.path, headers=stored_video.owner.headers(**headers)
        )
        return answer.status_code, len(answer.content)

    assert await status(Range="bytes=0-1,5-6") == (200, len(VIDEO))
    assert await status(Range="pages=1-2") == (200, len(VIDEO))
    assert await status(Range="bytes=0-9", If_Range=ETAG) == (206, 10)
    assert await status(Range="bytes=0-9", If_Range='"old"') == (200, len(VIDEO))
    assert await status(If_None_Match=ETAG) == (304, 0)
    assert await status(If_Match=f'"old", {ETAG}', Range=f"bytes=5-{10**19}") == (206, len(VIDEO) - 5)
    assert (await status(If_Match='"old"', If_None_Match=ETAG))[0] == 412
    split = [*stored_video.owner.headers().items(), ("If-None-Match", '"old"'), ("If-None-Match", ETAG)]
    assert (await stored_video.gateway.http.get(stored_video.path, headers=split)).status_code == 304
    outside = await stored_video.gateway.http.get(
        stored_video.path, headers=stored_video.owner.headers(Range="bytes=300000-")
    )
    assert outside.status_code == 416
    assert outside.headers["content-range"] == f"bytes */{len(VIDEO)}"
    assert "300000 bytes" in outside.json()["error"]


async def test_head_returns_the_length_without_body(stored_video: Stored) -> None:
    answer = await stored_video.gateway.http.head(stored_video.path, headers=stored_video.owner.headers())

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(VIDEO))


async def test_signed_url_needs_no_key(stored_video: Stored) -> None:
    url = (await stored_video.owner.status(stored_video.of.generation))["videoUrl"]
    http = stored_video.gateway.http

    linked = await http.get(url, headers={"Range": "bytes=0-9"})

    assert (linked.status_code, linked.content) == (206, VIDEO[:10])
    for broken in (url[:-1], url.replace("expires=", "expires=9"), f"{stored_video.path}?signature=x"):
        assert (await http.get(broken)).status_code == 403
    assert (await http.get(stored_video.path)).status_code == 401
    other = url.replace(stored_video.of.generation, str(uuid4()))
    assert (await http.get(other)).status_code == 403


async def test_signed_url_expires(
    environment: GatewayEnvironment, stored_video: Stored, s3: S3Server
) -> None:
    async with environment.gateway(content_url_ttl=1, s3_endpoint=s3.endpoint) as short:
        owner = AccountClient(stored_video.owner.account, stored_video.owner.key, short.http)
        for _ in range(400):
            if (await owner.get("/api/credits")).status_code == 200:
                break
        url = (await owner.status(stored_video.of.generation))["videoUrl"]
        for _ in range(2000):
            answer = await short.http.head(url)
            if answer.status_code != 200:
                break

    assert answer.status_code == 403


async def test_other_account_gets_404(environment: GatewayEnvironment, stored_video: Stored) -> None:
    other_client = await environment.owner(stored_video.gateway, "other_client")

    foreign = await other_client.get(stored_video.path)
    unknown = await other_client.get(f"/api/video/{uuid4()}/content")

    assert (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content)
    assert (foreign.status_code, foreign.json()) == (404, {"error": "Not found", "code": "not_found"})


async def test_content_of_unfinished_generation(environment: GatewayEnvironment, gateway: Gateway) -> None:
    owner = await environment.owner(gateway)
    running, failed, cancelled, temporary, expired = [
        GenerationEvents(owner.account, str(uuid4())) for _ in range(5)
    ]
    for of in (running, failed, cancelled, temporary, expired):
        await environment.append(of.requested())
    now = datetime.now(UTC)
    url = "https://provider.example.com/a b.mp4?token=x"
    await environment.append(failed.failed())
    await environment.append(cancelled.cancelled())
    await environment.append(temporary.not_stored(url, now + timedelta(hours=1)))
    await environment.append(expired.not_stored(url, now - timedelta(hours=1)))

    async def content(of: GenerationEvents) -> tuple[int, str]:
        answer = await owner.get(f"/api/video/{of.generation}/content")
        return answer.status_code, answer.headers.get("location") or answer.json()["error"]

    assert await content(running) == (409, "The video is not completed yet")
    assert await content(failed) == (410, "Video generation timeout after 5 minutes")
    assert await content(cancelled) == (410, "The generation was cancelled")
    assert await content(temporary) == (302, "https://provider.example.com/a%20b.mp4?token=x")
    assert (await content(expired))[0] == 410


async def test_unavailable_object_store_returns_502(
    environment: GatewayEnvironment, gateway: Gateway, s3_bucket: str
) -> None:
    owner = await environment.owner(gateway)
    gone = GenerationEvents(owner.account, str(uuid4()))
    await environment.append(gone.requested())
    await environment.append(gone.stored(bucket=s3_bucket))

    missing = await owner.get(f"/api/video/{gone.generation}/content")
    async with environment.gateway(s3_endpoint="http://127.0.0.1:1") as unreachable:
        elsewhere = AccountClient(owner.account, owner.key, unreachable.http)
        for _ in range(400):
            if (await elsewhere.get("/api/credits")).status_code == 200:
                break
        silent = await elsewhere.get(f"/api/video/{gone.generation}/content")

    assert (missing.status_code, silent.status_code) == (502, 502)
    error = "The video can't be read right now; please try again"
    assert missing.json() == silent.json() == {"error": error, "code": "storage_unavailable"}


async def test_object_of_wrong_size_returns_502(
    environment: GatewayEnvironment, gateway: Gateway, s3: S3Server, s3_bucket: str
) -> None:
    owner = await environment.owner(gateway)
    of = GenerationEvents(owner.account, str(uuid4()))
    event = of.stored(bucket=s3_bucket, size=1000)
    with s3.client() as client:
        client.put_object(Bucket=s3_bucket, Key=event.key, Body=b"x" * 999)
    await environment.append(of.requested())
    await environment.append(event)

    answer = await owner.get(f"/api/video/{of.generation}/content")

    assert answer.status_code == 502


async def test_interrupted_object_store_closes_the_connection(environment: GatewayEnvironment) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n"
    async with (
        raw_server(reset(head + b"x" * 100_000)) as broken,
        environment.gateway(s3_endpoint=broken.url) as gateway,
    ):
        owner = await environment.owner(gateway)
        of = GenerationEvents(owner.account, str(uuid4()))
        await environment.append(of.requested())
        await environment.append(of.stored(size=200_000))

        with pytest.raises(httpx.RemoteProtocolError):
            await owner.get(f"/api/video/{of.generation}/content")

        assert (await gateway.http.get("/healthz")).status_code == 200


async def test_disconnected_client_releases_the_object_store(environment: GatewayEnvironment) -> None:
    async with raw_server(send_slowly(0.01)) as slow, environment.gateway(s3_endpoint=slow.url) as gateway:
        owner = await environment.owner(gateway)
        of = GenerationEvents(owner.account, str(uuid4()))
        await environment.append(of.requested())
        await environment.append(of.stored(size=100_000))

        async with gateway.http.stream(
            "GET", f"/api/video/{of.generation}/content", headers=owner.headers()
        ) as answer:
            assert answer.status_code == 200

        await eventually(lambda: not slow.busy, what="the read from the object store goes on")


async def test_stalled_downloads_do_not_block_others(environment: GatewayEnvironment) -> None:
    limits: dict[str, Any] = {
        "content_downloads": 5,
        "content_downloads_per_account": 4,
        "content_downloads_per_video": 2,
        "http_progress_timeout": 1,
    }
    async with (
        raw_server(endless()) as store,
        environment.gateway(s3_endpoint=store.url, **limits) as gateway,
    ):
        owner, other = await environment.owner(gateway), await environment.owner(gateway, "other")
        paths = [await stored_path(environment, account) for account in [owner.account] * 3 + [other.account]]
        async with AsyncExitStack() as unread:

            async def begin(path: str, of: AccountClient = owner) -> httpx.Response:
                request = gateway.http.stream("GET", path, headers=of.headers())
                return await unread.enter_async_context(request)

            statuses = [(await begin(path)).status_code for path in (paths[0], paths[0], paths[1], paths[1])]
            refused = [await owner.get(path) for path in (paths[0], paths[2])]
            head = await gateway.http.head(paths[0], headers=owner.headers())
            elsewhere = await begin(paths[3], other)
            full = await other.get(paths[3])

            assert statuses == [200] * 4
            assert [answer.status_code for answer in refused] == [429, 429]
            assert [
                "this video" in refused[0].json()["error"],
                "this account" in refused[1].json()["error"],
            ] == [
                True,
                True,
            ]
            assert (head.status_code, elsewhere.status_code, full.status_code) == (200, 200, 503)
            assert {answer.headers["retry-after"] for answer in (*refused, full)} == {"5"}

            await eventually(lambda: not store.busy, what="a download that nothing reads goes on")
            assert (await begin(paths[0])).status_code == 200


def endless() -> Reply:
    """More bytes than any buffer holds, until the reader goes."""

    async def reply(_: RawRequest, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    return reply


async def stored_path(environment: GatewayEnvironment, account: str) -> str:
    """Where a new video of the account can be fetched."""
    of = GenerationEvents(account, str(uuid4()))
    await environment.append(of.requested())
    await environment.append(of.stored(size=1_000_000_000))
    return f"/api/video/{of.generation}/content"
