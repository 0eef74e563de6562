"""Content port on S3: a presigned GET, streamed with httpx. Signing needs botocore only, not boto3."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .byte_ranges import ByteRange
from .port import ContentUnavailable

__all__ = ["S3Config", "S3Content"]

CHUNK = 64 * 1024
"""Bytes in a chunk."""
SIGNED_FOR = 900
"""Seconds that a presigned URL is valid; it is used at once."""
TIMEOUT = httpx.Timeout(10, read=30)
KEPT = 20
"""Idle connections that are kept open."""


@dataclass(frozen=True, slots=True)
class S3Config:
    """Endpoint (path-style addresses) and read credentials."""

    endpoint: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)


class S3Content:
    """A component of the service. At most `connections` downloads at once."""

    def __init__(self, config: S3Config, connections: int = 100) -> None:
        self._config = config
        self._limits = httpx.Limits(max_connections=connections, max_keepalive_connections=KEPT)
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """Create the client, inside the running event loop."""
        self._client = httpx.AsyncClient(trust_env=False, timeout=TIMEOUT, limits=self._limits)

    async def stop(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()

    async def open(self, bucket: str, key: str, part: ByteRange) -> "S3Download":
        """Request the range. The status may be 200 or 206: rclone answers 200 to both."""
        assert self._client is not None, "the content part is not started"
        headers = {"Accept-Encoding": "identity"}
        if not part.is_whole:
            headers["Range"] = f"bytes={part.start}-{part.end}"
        request = self._client.build_request("GET", self._presigned(bucket, key), headers=headers)
        try:
            answer = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise ContentUnavailable(f"no response ({type(error).__name__})") from error
        download = S3Download(answer, part)
        if problem := download.problem():
            await download.close()
            raise ContentUnavailable(problem)
        return download

    def _presigned(self, bucket: str, key: str) -> str:
        config = self._config
        url = f"{config.endpoint.rstrip('/')}/{quote(bucket)}/{quote(key)}"
        request = AWSRequest("GET", url)
        credentials = Credentials(config.access_key, config.secret_key)
        S3SigV4QueryAuth(credentials, "s3", config.region, expires=SIGNED_FOR).add_auth(request)
        return str(request.url)


class S3Download:
    """An open response of the store, checked against the requested range."""

    def __init__(self, answer: httpx.Response, part: ByteRange) -> None:
        self._answer = answer
        self._part = part

    def problem(self) -> str | None:
        """What is wrong with the response's head, or None."""
        if self._answer.status_code not in (200, 206):
            return f"the store answered {self._answer.status_code}"
        length = self._answer.headers.get("content-length")
        if length is not None and length != str(self._part.length):
            return f"the store sends {length} bytes instead of {self._part.length}"
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes, no more and no fewer than were requested."""
        left = self._part.length
        try:
            async for chunk in self._answer.aiter_raw(CHUNK):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
        except httpx.HTTPError as error:
            raise ContentUnavailable(f"interrupted ({type(error).__name__})") from error
        if left != 0:
            raise ContentUnavailable("the store sent another number of bytes than its Content-Length")

    async def close(self) -> None:
        await self._answer.aclose()
