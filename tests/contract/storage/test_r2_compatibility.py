"""Requests of both services, as a server receives them, follow the rules of Cloudflare R2."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import telecine_gateway.settings
import telecine_storage.settings
from telecine_chassis.http_server.server import HttpServer
from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_gateway.content.byte_ranges import ByteRange
from telecine_gateway.content.s3 import S3Config as Reader
from telecine_gateway.content.s3 import S3Content
from telecine_storage.bucket.s3 import S3Bucket, S3Config

MIB = 2**20
LEAST = 5 * MIB
"""R2: minimum size of every part but the last; all of these must have the same size."""
KEY = "videos/ann/video_g.mp4"
SCOPE = re.compile(r"key-id/\d{8}/auto/s3/aws4_request")


@dataclass
class Seen:
    """Records every request and responds like an S3 server."""

    url: str = ""
    requests: list[tuple[Request, bytes]] = field(default_factory=list)

    @property
    def parts(self) -> list[bytes]:
        """Bodies of the parts in the order of the object: several are sent at a time and arrive in any order."""
        parts = [sent for sent in self.requests if "partNumber" in sent[0].query_params]
        return [body for _, body in sorted(parts, key=lambda sent: int(sent[0].query_params["partNumber"]))]

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        self.requests.append((request, body))
        if request.method == "POST" and "uploads" in request.query_params:
            return _xml(
                "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            )
        if request.method == "POST":
            return _xml('<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>')
        if request.method == "PUT":
            return Response(headers={"ETag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'})
        if request.method == "HEAD":
            return Response(headers={"Content-Length": str(sum(map(len, self.parts)))})
        if "uploads" in request.query_params:
            return _xml("<ListMultipartUploadsResult></ListMultipartUploadsResult>")
        return Response(b"the bytes")


def _xml(text: str) -> Response:
    return Response(f'<?xml version="1.0"?>{text}', media_type="application/xml")


@pytest.fixture
async def recorder() -> AsyncIterator[Seen]:
    recorder, port = Seen(), free_port()
    methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
    server = HttpServer(
        Starlette(routes=[Route("/{path:path}", recorder.answer, methods=methods)]), LOOPBACK, port
    )
    await server.start()
    recorder.url = f"http://{LOOPBACK}:{port}"
    yield recorder
    await server.stop()


@pytest.fixture
async def bucket(recorder: Seen) -> AsyncIterator[S3Bucket]:
    bucket = S3Bucket(S3Config(recorder.url, "telecine", "key-id", "secret"))
    yield bucket
    await bucket.aclose()


async def pieces(size: int) -> AsyncIterator[bytes]:
    """Chunks of a length that no part boundary matches."""
    for start in range(0, size, 700_001):
        yield bytes(min(700_001, size - start))


def test_the_default_region_is_auto() -> None:
    for settings in (telecine_gateway.settings.Settings, telecine_storage.settings.Settings):
        assert settings.model_fields["s3_region"].default == "auto"


async def test_all_parts_but_the_last_are_equal_and_large_enough(bucket: S3Bucket, recorder: Seen) -> None:
    size = 16 * MIB + 3
    assert await bucket.put_stream(KEY, pieces(size)) == size

    *equal, last = recorder.parts
    assert {len(part) for part in equal} == {8 * MIB}
    assert LEAST <= 8 * MIB
    assert 0 < len(last) <= 8 * MIB
    assert sum(map(len, recorder.parts)) == size


@pytest.mark.parametrize("size", [1000, 9 * MIB])
async def test_every_request_is_signed_for_auto_and_uses_only_what_r2_supports(
    bucket: S3Bucket, recorder: Seen, size: int
) -> None:
    await bucket.put_stream(KEY, pieces(size))

    for request, body in recorder.requests:
        assert SCOPE.search(request.headers["authorization"])
        assert request.url.path.startswith("/telecine")
        odd = [
            name for name in request.headers if "checksum" in name or name in ("x-amz-acl", "x-amz-trailer")
        ]
        assert odd == []
        assert "aws-chunked" not in request.headers.get("content-encoding", "")
        assert "expect" not in request.headers  # a round trip more for each body
        if request.method == "PUT":
            md5 = hashlib.md5(body, usedforsecurity=False).digest()
            assert request.headers["content-md5"] == base64.b64encode(md5).decode()


@pytest.mark.parametrize("size", [1000, 9 * MIB])
async def test_bodies_are_neither_signed_nor_hashed_if_objects_are_compared_otherwise(
    recorder: Seen, size: int
) -> None:
    """For a server on this machine, whose files the storage service reads."""
    bucket = S3Bucket(S3Config(recorder.url, "telecine", "key-id", "secret", checksums=False))
    await bucket.put_stream(KEY, pieces(size))
    await bucket.aclose()

    sent = [request.headers for request, _ in recorder.requests if request.method == "PUT"]
    assert {headers["x-amz-content-sha256"] for headers in sent} == {"UNSIGNED-PAYLOAD"}
    assert all(SCOPE.search(headers["authorization"]) and "content-md5" not in headers for headers in sent)


async def test_the_gateway_reads_by_a_short_lived_signed_url(recorder: Seen) -> None:
    content = S3Content(Reader(recorder.url, "auto", "key-id", "secret"))
    await content.start()
    download = await content.open("telecine", KEY, ByteRange(0, 8, 9))
    assert b"".join([chunk async for chunk in download.chunks()]) == b"the bytes"
    await download.close()
    await content.stop()

    [(request, _)] = recorder.requests
    assert (request.method, request.url.path) == ("GET", f"/telecine/{KEY}")
    assert SCOPE.fullmatch(request.query_params["X-Amz-Credential"])
    assert request.query_params["X-Amz-Expires"] == "900"
    assert "authorization" not in request.headers
