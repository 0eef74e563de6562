"""Announced messages are taken in order, without a gap, and in bounded memory."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telecine_jetstream import announcements as announcements_module
from telecine_jetstream.announcements import Announcements

WANTED = re.compile(r"stored\.video\.[^.]+\.[^.]+\.ready")


def head(sequence: int, subject: str, own: bytes = b"", *, body_left_out: bool = False) -> bytes:
    server = (
        b"Nats-Stream: VIDEO\r\nNats-Subject: %s\r\nNats-Sequence: %d\r\n"
        b"Nats-Time-Stamp: 2026-11-23T07:02:50.675061051Z\r\nNats-Last-Sequence: 0\r\n"
    )
    size = b"Nats-Msg-Size: 4\r\n" if body_left_out else b""
    return b"NATS/1.0\r\n" + own + server % (subject.encode(), sequence) + size + b"\r\n"


def announce(
    to: Announcements, sequence: int, action: str = "ready", own: bytes = b"", *, body_left_out: bool = False
) -> None:
    subject = f"video.ann.g{sequence}.{action}"
    body = b"" if body_left_out else b"{%d}" % sequence
    to.receive(f"stored.{subject}", head(sequence, subject, own, body_left_out=body_left_out), body)


@pytest.fixture
def announced() -> Announcements:
    return Announcements("VIDEO", WANTED)


def taken(announced: Announcements, after: int, limit: int = 100) -> tuple[list[int], int]:
    found, reached = announced.take(after, limit)
    return [one.last for one in found], reached


def test_a_message_is_as_it_was_stored(announced: Announcements) -> None:
    # A stored message may have headers of the server's names.
    own = b"ce-id: 1\r\nNats-Stream: VIDEO\r\nNats-Subject: x\r\nNats-Sequence: 99\r\n"
    announce(announced, 7, own=own)
    ((one,), reached) = announced.take(6, 10)
    assert (one.last, one.subject, one.head, one.body) == (7, "video.ann.g7.ready", own, b"{7}")
    assert reached == 7


def test_what_follows_is_taken_once_and_in_parts(announced: Announcements) -> None:
    for sequence in range(1, 6):
        announce(announced, sequence)
    assert taken(announced, 2, limit=2) == ([3, 4], 4)
    assert taken(announced, 4) == ([5], 5)
    assert taken(announced, 5) == ([], 5)
    assert not announced.has_gap(5)


def test_nothing_is_taken_across_a_gap(announced: Announcements) -> None:
    for sequence in (1, 3):
        announce(announced, sequence)
    assert taken(announced, 0) == ([1], 1)
    assert announced.has_gap(1)
    assert taken(announced, 2) == ([3], 3)  # after the missing one was read from the stream
    assert not announced.has_gap(3)


def test_messages_that_are_not_wanted_move_the_position(announced: Announcements) -> None:
    announce(announced, 1, "requested")
    announce(announced, 2, "submitted")
    announce(announced, 3)
    announce(announced, 4, "stored")
    assert taken(announced, 0) == ([3], 4)


def test_messages_that_are_not_wanted_take_no_memory(announced: Announcements) -> None:
    for sequence in range(1, 100_000):
        announce(announced, sequence, "requested")
    assert len(announced._kept) == 1
    assert taken(announced, 50_000) == ([], 99_999)


def test_a_message_without_its_body_has_to_be_read(announced: Announcements) -> None:
    """From a stream that was provisioned by an earlier version."""
    announce(announced, 1, body_left_out=True)
    assert taken(announced, 0) == ([], 0)
    assert announced.has_gap(0)
    assert not announced.has_gap(1)


def test_an_interruption_is_told_once(announced: Announcements) -> None:
    announced.interrupt()
    assert announced.has_gap(0)
    assert not announced.has_gap(0)


def test_other_messages_are_ignored(announced: Announcements) -> None:
    announced.receive("stored.video.ann.g1.ready", b"", b"{}")
    announced.receive("stored.video.ann.g1.ready", b"NATS/1.0\r\nNats-Sequence: 1\r\n\r\n", b"{}")
    other = head(1, "ledger.ann.granted").replace(b"VIDEO", b"LEDGER")
    announced.receive("stored.video.ann.g1.ready", other, b"{}")
    assert taken(announced, 0) == ([], 0)
    assert not announced.has_gap(0)


@pytest.mark.parametrize(("limit", "value"), [("MAX_MESSAGES", 3), ("MAX_BYTES", 9)])
def test_memory_is_bounded_and_what_is_dropped_is_a_gap(
    announced: Announcements, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(announcements_module, limit, value)
    for sequence in range(1, 6):  # three bytes each
        announce(announced, sequence)
    assert taken(announced, 0) == ([], 0)
    assert announced.has_gap(0)
    assert taken(announced, 2) == ([3, 4, 5], 5)


async def test_a_reader_is_woken_by_what_it_wants_and_by_gaps(announced: Announcements) -> None:
    announce(announced, 1)
    waiting = asyncio.create_task(announced.wait(60))
    await asyncio.sleep(0)
    announce(announced, 2, "requested")
    await asyncio.sleep(0)
    assert not waiting.done()
    announce(announced, 3)
    await waiting

    waiting = asyncio.create_task(announced.wait(60))
    await asyncio.sleep(0)
    announce(announced, 5, "requested")
    await waiting


async def test_a_reader_waits_no_longer_than_it_wants_to(announced: Announcements) -> None:
    await announced.wait(0.01)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.booleans(), st.booleans()), max_size=60),
    st.integers(1, 5),
)
def test_whatever_is_lost_repeated_or_late_a_reader_with_pages_gets_everything_in_order(
    heard: list[tuple[int, bool, bool]], limit: int
) -> None:
    """Announcements come in any order; the reader reads a page when it is told to, and takes part of them each time."""
    wanted = {sequence: sequence % 3 > 0 for sequence in range(1, 31)}
    announced, after, got, stored = Announcements("VIDEO", WANTED), 0, list[int](), 0
    for sequence, body_left_out, looks in heard:
        stored = max(stored, sequence)
        announce(
            announced,
            sequence,
            "ready" if wanted[sequence] else "other",
            body_left_out=body_left_out,
        )
        if looks:
            found, after = announced.take(after, limit)
            got += [one.last for one in found]
            if not found and announced.has_gap(after):
                got += [number for number in range(after + 1, stored + 1) if wanted[number]]
                after = stored
    assert got == [number for number in range(1, after + 1) if wanted[number]]
