"""Messages are read from a connection's bytes however these are split, and nothing that is nats-py's is touched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client

from telecine_jetstream.client import reply_headers
from telecine_jetstream.frames import FrameReader

Message = tuple[bytes, bytes, bytes, bytes]
SUBJECTS = st.sampled_from([b"a", b"video.ann.g1.ready", b"_INBOX.x.1"])
BODIES = st.binary(max_size=40)
HEADS = st.one_of(st.just(b""), st.sampled_from([b"NATS/1.0\r\na: b\r\n\r\n", b"NATS/1.0 503\r\n\r\n"]))


def frame(message: Message, sid: int = 1) -> bytes:
    """A message as the server sends it."""
    subject, reply, head, body = message
    to = b" " + reply if reply else b""
    if head:
        sizes = b"%d %d" % (len(head), len(head) + len(body))
        return b"HMSG %s %d%s %s\r\n%s%s\r\n" % (subject, sid, to, sizes, head, body)
    return b"MSG %s %d%s %d\r\n%s\r\n" % (subject, sid, to, len(body), body)


def reader() -> tuple[FrameReader, list[Message]]:
    read: list[Message] = []
    return FrameReader({1: lambda *message: read.append(message)}), read


@given(
    st.lists(st.tuples(SUBJECTS, st.one_of(st.just(b""), SUBJECTS), HEADS, BODIES), max_size=8),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_messages_are_read_however_their_bytes_are_split(messages: list[Message], cuts: list[int]) -> None:
    data = b"".join(map(frame, messages))
    frames, read = reader()
    ends = [*sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    for begin, end in zip([0, *ends], ends, strict=False):
        assert frames.feed(data[begin:end]) == b""
    assert read == messages


@pytest.mark.parametrize(
    "other",
    [
        b"PING\r\n",
        b"+OK\r\n",
        b"-ERR 'Permissions Violation'\r\n",
        b'INFO {"server_id": "a b c"}\r\n',
        frame((b"a", b"", b"", b"x"), sid=2),
        b"MSG  a  1  1\r\nx\r\n",
    ],
    ids=["ping", "ok", "error", "info", "other subscription", "other spacing"],
)
def test_everything_from_the_first_other_operation_on_is_left(other: bytes) -> None:
    mine = frame((b"a", b"", b"", b"1"))
    frames, read = reader()
    assert frames.feed(mine + other + mine) == other + mine
    assert read == [(b"a", b"", b"", b"1")]


def test_an_endless_line_is_left() -> None:
    frames, _ = reader()
    assert frames.feed(b"x" * 5000) == b"x" * 5000


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"NATS/1.0\r\n\r\n",
        b"NATS/1.0\r\nce-id: 1\r\nother:  two words \r\n\r\n",
        b"NATS/1.0 503\r\n\r\n",
        b"NATS/1.0 503 No Responders\r\n\r\n",
        b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 1\r\nNats-Pending-Bytes: 0\r\n\r\n",
    ],
)
async def test_headers_of_replies_equal_those_of_nats_py(head: bytes) -> None:
    client: Any = Client()
    assert reply_headers(head) == await client._process_headers(head)
