"""What one client may take of an HTTP server: bytes, time, connections; and what is no valid request."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.support.http_servers.chassis_server import (
    begin_connection,
    connect,
    exchange,
    read_reply,
    running_server,
)

from telecine_chassis.http_server.server import HttpServer

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: test\r\n"
LARGE = 16 * 1024


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with running_server() as server:
        yield server


@pytest.mark.parametrize(
    "segments",
    [
        (b"GET / HTTP/1.1\r\nHost: test\r\nX-Long: " + b"x" * LARGE,),
        (b"GET /" + b"x" * LARGE,),
        (b"GET / HTTP/1.1\r\nHost: test\r\n" + b"X: y\r\n" * LARGE,),
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n" * (LARGE // 2), b"X: y\r\n" * LARGE),
        (b"\r\n" * LARGE,),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * LARGE),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 2 * LARGE),
    ],
    ids=["field", "target", "fields", "segments", "empty-lines", "trailers", "chunk-extension"],
)
def test_large_head_or_trailer_returns_431(server: HttpServer, segments: tuple[bytes, ...]) -> None:
    reply = exchange(server.port, *segments)

    assert (reply.status, reply.headers["connection"]) == (431, "close")
    error = "The request's header is larger than 16384 bytes"
    assert reply.json == {"error": error, "code": "header_too_large"}


def test_head_at_the_limit_is_served(server: HttpServer) -> None:
    head = b"GET / HTTP/1.1\r\nHost: test\r\nX-Long: \r\n\r\n"
    padding = b"x" * (LARGE - len(head))

    assert exchange(server.port, head.replace(b"X-Long: ", b"X-Long: " + padding)).status == 200


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: te", GET], ids=["nothing", "half", "idle"])
def test_silence_ends_the_connection(sent: bytes) -> None:
    with running_server(head_timeout=0.2, idle_timeout=0.2) as server, connect(server.port) as opened:
        opened.sendall(sent)
        if sent:
            assert read_reply(opened).status == (200 if sent == GET else 408)

        assert opened.recv(1) == b""


def test_silence_after_a_late_body_ends_the_connection() -> None:
    with running_server(idle_timeout=0.2) as server, connect(server.port) as opened:
        opened.sendall(POST.replace(b"/echo", b"/deny") + b"Content-Length: 2\r\n\r\nx")
        assert read_reply(opened).status == 413
        opened.sendall(b"x")

        assert opened.recv(1) == b""


def test_client_that_does_not_read_is_cut_off() -> None:
    with running_server(progress_timeout=0.3) as server, connect(server.port) as opened:
        opened.sendall(b"GET /endless HTTP/1.1\r\nHost: test\r\n\r\n")
        assert opened.recv(1) == b"H"
        # Not read from here on; a write is the only way to see that the server has gone.
        with pytest.raises(ConnectionError):
            while True:
                opened.sendall(b"x" * 65536)


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize("split", [True, False])
def test_upgrade_is_declined_and_the_body_kept(server: HttpServer, framing: bytes, split: bool) -> None:
    head = POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n" + framing
    body = b"hello" if b"Length" in framing else b"2\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer-Field: x\r\n\r\n"
    with connect(server.port) as opened:
        for segment in (head + b"\r\n", body) if split else (head + b"\r\n" + body,):
            opened.sendall(segment)
        first = read_reply(opened)
        opened.sendall(GET)
        second = read_reply(opened)

    assert (first.status, first.json["body"]) == (200, "hello")
    assert "trailer-field" not in dict(first.json["headers"])
    assert (second.status, second.json["path"]) == (200, "/")


@pytest.mark.parametrize("path", [b"/refuse", b"/deny"])
def test_response_that_did_not_wait_for_the_body_is_readable(server: HttpServer, path: bytes) -> None:
    size = 5_000_000
    head = POST.replace(b"/echo", path) + b"Content-Length: %d\r\n\r\n" % size
    with connect(server.port) as opened:
        opened.sendall(head)
        for _ in range(size // 100_000):
            opened.sendall(b"x" * 100_000)

        assert (reply := read_reply(opened)).status == 413
        assert reply.json == {"error": "refused"}
        if path == b"/deny":  # the connection was not to be closed
            opened.sendall(GET)
            assert read_reply(opened).status == 200


def test_body_that_goes_on_after_the_response_is_bounded() -> None:
    with running_server(drain_bytes=100_000) as server, connect(server.port) as opened:
        opened.sendall(POST.replace(b"/echo", b"/deny") + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(ConnectionError):
            while True:
                opened.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")


@pytest.mark.parametrize(
    ("request_head", "status", "said"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.0\r\nHost: a@b\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.0\r\n\r\n", 200, ""),
        (b"GET / HTTP/1.1\r\nHost: [::1]:8000 \t\r\n\r\n", 200, ""),
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 400, "HTTP/1.1"),
        (b"GET /\r\n\r\n", 400, "HTTP/1.1"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "HTTP/2.0"),
        (b"GET / HTTP/1.7\r\nHost: a\r\n\r\n", 400, "HTTP/1.1"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "HTTP/1.1"),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "HTTP/1.1"),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "Transfer-Encoding"),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400, "HTTP/1.1"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nnot a size\r\n", 400, "HTTP/1.1"),
    ],
)
def test_invalid_request_is_answered_in_json(
    server: HttpServer, request_head: bytes, status: int, said: str
) -> None:
    reply = exchange(server.port, request_head)

    assert reply.status == status
    assert reply.headers["content-type"] == "application/json"
    if status != 200:
        assert said in reply.json["error"]
        assert reply.headers["connection"] == "close"


def test_blanks_around_a_header_value_are_no_part_of_it(server: HttpServer) -> None:
    reply = exchange(server.port, b"GET / HTTP/1.1\r\nHost: test\r\nX-API-Key: \t tk_1 \t \r\n\r\n")

    assert dict(reply.json["headers"])["x-api-key"] == "tk_1"


def test_pipelined_requests_are_answered_in_order_and_bounded(server: HttpServer) -> None:
    with connect(server.port) as opened:
        opened.sendall(b"".join(GET.replace(b"/ ", b"/%d " % number) for number in range(1000)))
        replies = 0
        while True:
            reply = read_reply(opened)
            assert reply.json["path"] == f"/{replies}"
            replies += 1
            if "connection" in reply.headers:
                break

        assert 1 < replies < 50
        assert opened.recv(1) == b""


def test_connections_at_the_limit_make_room_for_the_next() -> None:
    with running_server(connections=4) as server:
        silent = [connect(server.port) for _ in range(6)]

        assert exchange(server.port, GET).status == 200
        assert silent[0].recv(1) == b""

        for each in silent:
            each.close()


def test_client_gets_503_while_all_connections_are_in_use() -> None:
    with running_server(connections=2) as server:
        busy = [connect(server.port) for _ in range(2)]
        for each in busy:
            each.sendall(b"GET /hold HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n\r\n")
            assert each.recv(12) == b"HTTP/1.1 100"  # the application has it

        refused = exchange(server.port, GET)
        for each in busy:
            each.close()

        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        error = "The server has too many connections; please try again"
        assert refused.json == {"error": error, "code": "unavailable"}


@pytest.mark.parametrize("flooded", [0, 1], ids=["public", "admin"])
def test_more_silent_connections_than_file_descriptors(flooded: int) -> None:
    program = [sys.executable, "-m", "tests.support.http_servers.chassis_server", "512"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ports = [int(port) for port in process.stdout.readline().split()]
        silent = [begin_connection(ports[flooded]) for _ in range(600)]
        try:
            for port in ports:
                for _ in range(3):
                    request = GET.replace(b"/ ", b"/readyz ")
                    assert exchange(port, request).status == 200
        finally:
            for each in silent:
                each.close()
            process.terminate()
