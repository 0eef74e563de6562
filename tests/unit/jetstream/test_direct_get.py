"""The reply to a batched direct get: what is complete, what is cut short, and what is an error."""

import nats.errors
import pytest
from nats.js.errors import APIError, ServiceUnavailableError

from telecine_jetstream.direct_get import BatchReply

Item = tuple[int, str, bytes, bytes, bytes]
TIME = b"2026-11-23T07:02:50.675061051Z"
END = b"NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nNats-Last-Sequence: %d\r\n\r\n"


def make(sequence: int, subject: str, time: bytes, head: bytes, body: bytes) -> Item:
    return sequence, subject, time, head, body


def header(sequence: int, previous: int, own: bytes = b"", pending: int = 0) -> bytes:
    server = (
        b"Nats-Stream: LEDGER\r\nNats-Subject: ledger.ann.granted\r\nNats-Sequence: %d\r\nNats-Time-Stamp: %s\r\n"
        b"Nats-Num-Pending: %d\r\nNats-Last-Sequence: %d\r\n\r\n"
    )
    return b"NATS/1.0\r\n" + own + server % (sequence, TIME, pending, previous)


@pytest.fixture
async def reply() -> BatchReply[Item]:
    return BatchReply(make)


async def test_messages_carry_their_own_header_lines(reply: BatchReply[Item]) -> None:
    # A stored message may have headers of the server's names.
    own = b"Nats-Stream: other\r\nNats-Sequence: 99\r\nStatus: 404\r\n"
    reply.receive("inbox", header(7, 0, own, pending=3), b"body")
    reply.receive("inbox", END % 7, b"")
    await reply.wait(1)
    assert reply.messages == [(7, "ledger.ann.granted", TIME, own, b"body")]
    assert (reply.complete, reply.pending) == (True, 3)


async def test_a_lost_message_cuts_the_reply_short(reply: BatchReply[Item]) -> None:
    reply.receive("inbox", header(1, 0), b"")
    reply.receive("inbox", header(3, 2), b"")
    reply.receive("inbox", END % 3, b"")
    await reply.wait(1)
    assert [item[0] for item in reply.messages] == [1]
    assert not reply.complete


async def test_a_lost_last_message_makes_the_reply_incomplete(reply: BatchReply[Item]) -> None:
    reply.receive("inbox", header(1, 0), b"")
    reply.receive("inbox", END % 2, b"")
    await reply.wait(1)
    assert not reply.complete


async def test_no_message_found_is_an_empty_reply(reply: BatchReply[Item]) -> None:
    reply.receive("inbox", b"NATS/1.0 404 Message Not Found\r\n\r\n", b"")
    await reply.wait(1)
    assert (reply.messages, reply.complete) == ([], True)


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"NATS/1.0 503\r\n\r\n", ServiceUnavailableError),
        (b"NATS/1.0 408 Bad Request\r\n\r\n", APIError),
        (b"NATS/1.0\r\nNats-Stream: cut", APIError),
    ],
)
async def test_other_statuses_are_errors(
    reply: BatchReply[Item], head: bytes, error: type[Exception]
) -> None:
    reply.receive("inbox", head, b"")
    with pytest.raises(error):
        await reply.wait(1)


async def test_a_reply_without_an_end_times_out(reply: BatchReply[Item]) -> None:
    reply.receive("inbox", header(1, 0), b"")
    with pytest.raises(nats.errors.TimeoutError):
        await reply.wait(0.01)
