"""Contract of every source: unchanged bytes, permanent and temporary errors. And cases that only HTTP has."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import pytest
from tests.support.http_servers.result_server import Answer, ResultServer, result_server

from telecine_storage.source.http import HttpSource, SourcePolicy
from telecine_storage.source.memory import MemorySource
from telecine_storage.source.port import Source, SourceError, SourceNotReady, SourceRefused

BODY = bytes(range(256)) * 2000
ROOM = len(BODY)


class Provider(Protocol):
    """A source, and functions that set what it returns."""

    @property
    def source(self) -> Source: ...

    def offer(self, body: bytes, *, announced: bool = True, cut_after: int | None = None) -> str:
        """Publishes a result and returns its URL."""
        ...

    def refuse(self, error: SourceError) -> str:
        """The URL of a result that fails with this error."""
        ...


class MemoryProvider:
    def __init__(self) -> None:
        self.source = MemorySource()

    def offer(self, body: bytes, *, announced: bool = True, cut_after: int | None = None) -> str:
        self.source.results["memory:result"] = body
        self.source.announce_length, self.source.cut_after = announced, cut_after
        return "memory:result"

    def refuse(self, error: SourceError) -> str:
        self.source.results["memory:error"] = error
        return "memory:error"


@dataclass
class HttpProvider:
    source: HttpSource
    server: ResultServer

    def offer(self, body: bytes, *, announced: bool = True, cut_after: int | None = None) -> str:
        length = len(body) if announced else None
        return self.server.at("/result", Answer(body, length=length, cut_after=cut_after))

    def refuse(self, error: SourceError) -> str:
        status = 403 if isinstance(error, SourceRefused) else 503
        return self.server.at("/error", Answer(b"no", status=status))


@pytest.fixture
async def http() -> AsyncIterator[HttpProvider]:
    source = HttpSource(SourcePolicy(allow_private=True))
    async with result_server() as server:
        yield HttpProvider(source, server)
        await source.aclose()


@pytest.fixture(params=["memory", "http"])
def provider(request: pytest.FixtureRequest, http: HttpProvider) -> Provider:
    return MemoryProvider() if request.param == "memory" else http


async def fetch(source: Source, url: str, max_bytes: int = ROOM) -> bytes:
    async with source.open(url, max_bytes=max_bytes) as download:
        return b"".join([chunk async for chunk in download.chunks])


@pytest.mark.parametrize("announced", [True, False])
async def test_a_result_is_unchanged(provider: Provider, announced: bool) -> None:
    url = provider.offer(BODY, announced=announced)
    async with provider.source.open(url, max_bytes=ROOM) as download:
        chunks = [chunk async for chunk in download.chunks]
    assert b"".join(chunks) == BODY
    assert len(chunks) > 1
    assert download.length == (len(BODY) if announced else None)
    assert download.content_type == "video/mp4"


async def test_a_long_result_is_unchanged_and_can_be_repeated(provider: Provider) -> None:
    url = provider.offer(BODY * 9)
    for _ in range(2):
        assert await fetch(provider.source, url, 9 * ROOM) == BODY * 9


async def test_a_result_can_be_empty(provider: Provider) -> None:
    assert await fetch(provider.source, provider.offer(b"")) == b""


async def test_an_abandoned_download_can_be_repeated(provider: Provider) -> None:
    url = provider.offer(BODY)
    async with provider.source.open(url, max_bytes=ROOM) as download:
        assert await anext(download.chunks)
    assert await fetch(provider.source, url) == BODY


async def test_an_oversized_content_length_is_refused_before_the_download(provider: Provider) -> None:
    with pytest.raises(SourceRefused, match="larger"):
        async with provider.source.open(provider.offer(BODY), max_bytes=ROOM - 1):
            pytest.fail("the download began")


async def test_a_download_beyond_the_limit_is_aborted(provider: Provider) -> None:
    url = provider.offer(BODY, announced=False)
    async with provider.source.open(url, max_bytes=ROOM - 1) as download:
        with pytest.raises(SourceRefused, match="larger"):
            async for _ in download.chunks:
                pass


@pytest.mark.parametrize(("times", "cut"), [(1, 100_000), (9, 100_000), (9, 9 * ROOM - 1)])
async def test_truncation_is_detected_with_a_content_length(provider: Provider, times: int, cut: int) -> None:
    with pytest.raises(SourceNotReady):
        await fetch(provider.source, provider.offer(BODY * times, cut_after=cut), times * ROOM)


async def test_truncation_is_not_detected_without_a_content_length(provider: Provider) -> None:
    """Therefore every transfer checks the mp4."""
    url = provider.offer(BODY, announced=False, cut_after=100_000)
    assert await fetch(provider.source, url) == BODY[:100_000]


@pytest.mark.parametrize("error", [SourceRefused("gone"), SourceNotReady("later")])
async def test_permanent_and_temporary_errors_are_distinguished(
    provider: Provider, error: SourceError
) -> None:
    with pytest.raises(type(error)):
        await fetch(provider.source, provider.refuse(error))


async def test_an_unknown_result_is_refused(provider: Provider) -> None:
    with pytest.raises(SourceRefused):
        await fetch(provider.source, provider.offer(b"") + "/nowhere")


@pytest.mark.parametrize("status", [401, 403, 404, 410, 416, 204, 206, 304])
async def test_permanent_http_statuses_are_refused(http: HttpProvider, status: int) -> None:
    with pytest.raises(SourceRefused, match=str(status)):
        await fetch(http.source, http.server.at("/v", Answer(status=status)))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_temporary_http_statuses_may_be_retried(http: HttpProvider, status: int) -> None:
    with pytest.raises(SourceNotReady, match=str(status)):
        await fetch(http.source, http.server.at("/v", Answer(b"busy", status=status)))


async def test_a_video_that_is_not_ready_may_be_retried(http: HttpProvider) -> None:
    body = b'{"error":{"code":"video_not_ready","message":"try again"}}'
    with pytest.raises(SourceNotReady):
        await fetch(http.source, http.server.at("/v", Answer(body, status=400)))
    with pytest.raises(SourceRefused):
        await fetch(http.source, http.server.at("/v", Answer(b'{"error":{"code":"other"}}', status=400)))


async def test_an_error_body_is_read_in_part(http: HttpProvider) -> None:
    answer = Answer((bytes(65536) for _ in range(10_000)), status=400, length=10_000 * 65536)
    with pytest.raises(SourceRefused):
        await fetch(http.source, http.server.at("/v", answer))


async def test_a_refused_connection_is_temporary(http: HttpProvider) -> None:
    async with result_server() as gone:
        url = gone.url
    with pytest.raises(SourceNotReady):
        await fetch(http.source, url)


async def test_an_invalid_response_may_be_retried(http: HttpProvider) -> None:
    url = http.server.at("/v", Answer(headers=(("Content-Length", "many"),), length=None))
    with pytest.raises(SourceNotReady):
        await fetch(http.source, url)


@pytest.mark.parametrize("times", [1, 9])
async def test_bytes_after_the_announced_length_are_ignored(http: HttpProvider, times: int) -> None:
    body = BODY * times
    url = http.server.at("/v", Answer(body + b"more", length=len(body)))
    for _ in range(2):
        assert await fetch(http.source, url, len(body)) == body


async def test_a_compressed_answer_is_refused(http: HttpProvider) -> None:
    answer = Answer(BODY, headers=(("Content-Encoding", "gzip"),))
    with pytest.raises(SourceRefused, match="compressed"):
        await fetch(http.source, http.server.at("/v", answer))


@pytest.mark.parametrize(
    "headers",
    [
        (("Content-Encoding", ""),),
        (("Content-Encoding", "IDENTITY"),),
        (("Content-Encoding", "aws-chunked"),),
        (("Content-Encoding", "identity"), ("content-encoding", "aws-chunked,")),
        (("Content-Length", str(len(BODY))),),
        (("Content-Range", "bytes 0-9/10"), ("Content-Disposition", 'attachment; filename="\xe9"')),
    ],
    ids=["empty coding", "capitals", "aws-chunked", "two codings", "length twice", "odd headers"],
)
async def test_harmless_response_headers_are_ignored(
    http: HttpProvider, headers: tuple[tuple[str, str], ...]
) -> None:
    url = http.server.at("/v", Answer(BODY, content_type=";;,\xff", headers=headers))
    async with http.source.open(url, max_bytes=ROOM) as download:
        assert download.length == ROOM
        assert b"".join([chunk async for chunk in download.chunks]) == BODY


async def test_transfer_encoding_is_case_insensitive(http: HttpProvider) -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    answer = Answer(chunked, length=None, headers=(("Transfer-Encoding", "Chunked"),))
    assert await fetch(http.source, http.server.at("/v", answer)) == BODY


async def test_a_206_for_the_full_range_is_accepted(http: HttpProvider) -> None:
    whole = (("Content-Range", f"bytes 0-{ROOM - 1}/{ROOM}"),)
    assert await fetch(http.source, http.server.at("/v", Answer(BODY, 206, headers=whole))) == BODY
    part = (("Content-Range", f"bytes 0-{ROOM - 1}/{ROOM + 1}"),)
    with pytest.raises(SourceRefused, match="206"):
        await fetch(http.source, http.server.at("/v", Answer(BODY, 206, headers=part)))


async def test_the_content_type_has_no_parameters(http: HttpProvider) -> None:
    for given, seen in (("Video/MP4; codecs=avc1", "video/mp4"), (None, None)):
        url = http.server.at("/v", Answer(BODY, content_type=given))
        async with http.source.open(url, max_bytes=ROOM) as download:
            assert download.content_type == seen


async def test_no_credentials_are_sent(http: HttpProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    url = http.server.at("/v?X-Tos-Signature=a%2Fb", Answer(BODY, headers=(("Set-Cookie", "session=1"),)))
    assert await fetch(http.source, url) == await fetch(http.source, url) == BODY
    names = {line.partition(":")[0].lower() for line in http.server.asked[1][1:]}
    assert http.server.asked[1][0] == "GET /v?X-Tos-Signature=a%2Fb HTTP/1.1"
    assert names == {"host", "user-agent", "accept", "accept-encoding"}
    assert "Accept-Encoding: identity" in http.server.asked[1]


def moved(to: str) -> Answer:
    return Answer(status=302, headers=(("Location", to),))


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/vid\xc3\xa9o.mp4?n=\xc3\xa9", "/vid%C3%A9o.mp4?n=%C3%A9"),  # UTF-8 as it is
        ("/vid\xe9o.mp4", "/vid%E9o.mp4"),  # bytes of another encoding
        ("video 1.mp4#start at 3", "/videos/video%201.mp4"),
        ("../v.mp4?X-Tos-Signature=a%2Fb+c", "/v.mp4?X-Tos-Signature=a%2Fb+c"),
        ("?again=1", "/videos/first?again=1"),
        ("/a\tb", "/a%09b"),
    ],
    ids=["UTF-8", "Latin-1", "relative, blanks and a fragment", "signed", "query alone", "tab"],
)
async def test_a_redirect_is_followed_byte_for_byte(http: HttpProvider, location: str, asked: str) -> None:
    first = http.server.at("/videos/first", moved(location))
    http.server.at(asked, Answer(BODY))
    assert await fetch(http.source, first) == BODY


async def test_at_most_three_redirects_are_followed(http: HttpProvider) -> None:
    for number in range(4):
        http.server.at(f"/{number}", moved(f"{http.server.url if number % 2 else ''}/{number + 1}"))
    http.server.at("/4", Answer(BODY))
    assert await fetch(http.source, f"{http.server.url}/1") == BODY
    with pytest.raises(SourceRefused, match="redirects"):
        await fetch(http.source, f"{http.server.url}/0")


@pytest.mark.parametrize(
    "to",
    [
        "http://169.254.169.254/latest/meta-data",
        "//169.254.169.254/",
        "file:///etc/passwd",
        "http://user:secret@127.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://0/",
        "https://127.0.0.1:port/",
        "gopher://127.0.0.1/",
    ],
)
async def test_a_redirect_is_checked_like_the_first_url(http: HttpProvider, to: str) -> None:
    with pytest.raises(SourceRefused):
        await fetch(http.source, http.server.at("/v", moved(to)))
    assert len(http.server.asked) == 1


async def test_a_redirect_to_a_host_off_the_list_is_refused(http: HttpProvider) -> None:
    source = HttpSource(SourcePolicy(hosts=("127.0.0.1",), allow_private=True))
    url = http.server.at("/v", moved(http.server.url.replace("127.0.0.1", "localhost") + "/w"))
    http.server.at("/w", Answer(BODY))
    with pytest.raises(SourceRefused, match="provider"):
        await fetch(source, url)
    assert await fetch(source, f"{http.server.url}/w") == BODY
    await source.aclose()


async def test_error_reasons_do_not_contain_the_url(http: HttpProvider) -> None:
    for answer in (Answer(status=403), Answer(status=500), Answer(BODY, cut_after=5), moved("ftp://secret/")):
        with pytest.raises(SourceError) as failed:
            await fetch(http.source, http.server.at("/v?signature=secret", answer))
        assert "secret" not in failed.value.reason
