"""Source over HTTP, restricted to public addresses."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpcore
import httpx

from .guarded_transport import READ_BYTES, AddressRefused, GuardedBackend, Resolve, resolve_host
from .port import Download, SourceNotReady, SourceRefused

REDIRECTS_MAX = 3
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
_CONNECTIONS_MAX = 32
_REFUSAL_BYTES_MAX = 64 * 1024
_PARSED_BYTES_MAX = 1024 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_RETRYABLE_STATUSES = frozenset({408, 425, 429})
_TIMEOUTS = {
    "connect": CONNECT_SECONDS,
    "read": READ_SECONDS,
    "write": CONNECT_SECONDS,
    "pool": READ_SECONDS,
}
_HEADERS = (
    ("User-Agent", "telecine"),
    ("Accept", "video/mp4, */*"),
    # A compressed response could expand to any size, and has no length to check.
    ("Accept-Encoding", "identity"),
)
# Content codings that change the bytes (IANA's registry). Object stores also send values that do not, such as
# identity, aws-chunked or an empty one; the check of the mp4 boxes detects a body that is not a video.
_COMPRESSED = frozenset({"gzip", "x-gzip", "compress", "x-compress", "deflate", "br", "zstd", "dcb", "dcz"})
_WHOLE_RANGE = re.compile(r"bytes 0-(\d+)/(\d+)", re.ASCII | re.IGNORECASE)
_WIRE_ERRORS = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """Which URLs may be fetched.

    `hosts`: suffixes such as ".volces.com"; empty means any public host. `allow_private` is for a provider on the
    same machine or network: it also allows loopback and private addresses, plain http and every port.
    """

    hosts: tuple[str, ...] = ()
    allow_private: bool = False


class HttpSource:
    """Source over HTTP/1.1, without proxies from the environment, cookies or credentials. Close it with `aclose`."""

    def __init__(self, rules: SourcePolicy, *, resolve: Resolve = resolve_host) -> None:
        self._rules = rules
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=_CONNECTIONS_MAX,
            keepalive_expiry=5.0,
            network_backend=GuardedBackend(allow_private=rules.allow_private, resolve=resolve),
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._pool.aclose()

    @asynccontextmanager
    async def open(self, url: str, *, max_bytes: int) -> AsyncIterator[Download]:
        """See Source.open."""
        async with AsyncExitStack() as stack:
            response = await self._follow(url, stack)
            if not _COMPRESSED.isdisjoint(_codings(response)):
                raise SourceRefused("the answer is compressed")
            length = _length(response)
            if length is not None and length > max_bytes:
                raise SourceRefused(f"larger than {max_bytes} bytes")
            content_type = _text(response, "content-type").partition(";")[0].strip().lower() or None
            yield Download(length, content_type, _chunks(_body(response, length), max_bytes))

    async def _follow(self, url: str, stack: AsyncExitStack) -> httpcore.Response:
        """The final response, with the whole file, after at most REDIRECTS_MAX redirects. Raises SourceError."""
        target = _parse(url)
        for _ in range(REDIRECTS_MAX + 1):
            # Every hop is checked like the first URL, and closed before the next one.
            self._check(target)
            hop = await stack.enter_async_context(AsyncExitStack())
            response = await self._ask(target, hop)
            if _is_whole(response):
                return response
            if response.status not in _REDIRECTS:
                await _raise_for(response)
            target = _parse(_location(response), target)
            await hop.aclose()
        raise SourceRefused(f"more than {REDIRECTS_MAX} redirects")

    async def _ask(self, target: httpx.URL, stack: AsyncExitStack) -> httpcore.Response:
        answer = self._pool.stream(
            "GET",
            httpcore.URL(
                scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path
            ),
            headers=[("Host", target.netloc.decode("ascii")), *_HEADERS],
            extensions={"timeout": _TIMEOUTS},
        )
        try:
            return await stack.enter_async_context(answer)
        except AddressRefused as error:
            raise SourceRefused("the host has an address that is not public") from error
        except _WIRE_ERRORS as error:
            raise SourceNotReady(_name(error)) from error

    def _check(self, target: httpx.URL) -> None:
        schemes = {"https", "http"} if self._rules.allow_private else {"https"}
        if target.scheme not in schemes:
            raise SourceRefused("the URL is not https")
        if target.userinfo:
            raise SourceRefused("the URL carries credentials")
        if not target.host or not self._host_allowed(target.host):
            raise SourceRefused("the host is not one of the provider's")
        if target.port is not None and not self._rules.allow_private:
            raise SourceRefused("the URL names a port")

    def _host_allowed(self, host: str) -> bool:
        name = "." + host.lower().rstrip(".")
        suffixes = ("." + suffix.lower().strip(".") for suffix in self._rules.hosts)
        return not self._rules.hosts or any(name.endswith(suffix) for suffix in suffixes)


def _parse(url: str, before: httpx.URL | None = None) -> httpx.URL:
    try:
        return before.join(url) if before else httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SourceRefused("the URL is malformed") from error


def _values(response: httpcore.Response, name: str) -> list[bytes]:
    return [value for key, value in response.headers if key.lower() == name.encode()]


def _text(response: httpcore.Response, name: str) -> str:
    """All values of a header, joined as RFC 9110 says; "" without the header."""
    return b", ".join(_values(response, name)).decode("latin-1")


def _is_whole(response: httpcore.Response) -> bool:
    """Whether the status is 200, a proxy's 203, or an unrequested 206 whose range covers the whole file."""
    if response.status == 206:
        found = _WHOLE_RANGE.fullmatch(_text(response, "content-range").strip())
        return found is not None and int(found[1]) + 1 == int(found[2])
    return response.status in (200, 203)


def _codings(response: httpcore.Response) -> set[str]:
    return {word.strip().lower() for word in _text(response, "content-encoding").split(",")}


def _location(response: httpcore.Response) -> str:
    """The target of a redirect. URLs are ASCII, but servers also send UTF-8 or other bytes, which are kept."""
    value = next(iter(_values(response, "location")), b"")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and text:
        return text
    return "".join(chr(byte) if 0x20 < byte < 0x7F else f"%{byte:02X}" for byte in value)


def _length(response: httpcore.Response) -> int | None:
    announced = _text(response, "content-length")
    return int(announced) if announced.isdecimal() and not _values(response, "transfer-encoding") else None


async def _raise_for(response: httpcore.Response) -> None:
    reason = f"answered {response.status}"
    if response.status >= 500 or response.status in _RETRYABLE_STATUSES:
        raise SourceNotReady(reason)
    # Ark: right after success the file may respond with 400 and this code for a while.
    if response.status == 400 and b"video_not_ready" in await _beginning(response):
        raise SourceNotReady("answered video_not_ready")
    raise SourceRefused(reason)


async def _beginning(response: httpcore.Response) -> bytes:
    seen = bytearray()
    try:
        async for chunk in response.aiter_stream():
            seen += chunk
            if len(seen) >= _REFUSAL_BYTES_MAX:
                break
    except _WIRE_ERRORS as error:
        raise SourceNotReady(_name(error)) from error
    return bytes(seen[:_REFUSAL_BYTES_MAX])


async def _body(response: httpcore.Response, length: int | None) -> AsyncIterator[bytes]:
    """The body. What is left of a long one comes from the connection itself, past the parser, which copies it thrice.

    Its connection is closed afterwards, because the parser has not seen the end.
    """
    parsed = response.aiter_stream()
    left = length or 0
    async for chunk in parsed:  # all that the parser had
        left -= len(chunk)
        yield chunk
        if left > _PARSED_BYTES_MAX:
            break
    else:
        return
    connection: httpcore.AsyncNetworkStream = response.extensions["network_stream"]
    while left > 0:
        chunk = (await connection.read(READ_BYTES, timeout=READ_SECONDS))[:left]
        if not chunk:
            raise httpcore.RemoteProtocolError("the connection was closed before the end of the body")
        left -= len(chunk)
        yield chunk


async def _chunks(body: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    total = 0
    try:
        async for chunk in body:
            total += len(chunk)
            if total > max_bytes:
                raise SourceRefused(f"larger than {max_bytes} bytes")
            yield chunk
    except _WIRE_ERRORS as error:
        raise SourceNotReady(_name(error)) from error


def _name(error: Exception) -> str:
    # Only the type of the error: its text may contain the signed URL.
    return f"the download failed: {type(error).__name__}"
