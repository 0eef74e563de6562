"""The mp4 checker accepts complete videos and refuses all other files."""

import struct
import time
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.data.mp4_files import box, mp4

from telecine_storage.transfer.mp4 import MOOV_BYTES_MAX, InvalidVideo, Mp4Checker, Mp4Metadata

_REAL = Mp4Metadata(320, 192, 1.0)


@lru_cache
def real(fast_start: bool = False) -> bytes:
    return mp4(fast_start=fast_start)


def check(file: bytes, chunk: int = 1000) -> Mp4Metadata:
    checker = Mp4Checker()
    for at in range(0, len(file), chunk):
        checker.feed(file[at : at + chunk])
    return checker.finish()


def boxes(file: bytes) -> dict[str, bytes]:
    """Top-level boxes of a well-formed file with 32-bit sizes, by name."""
    found, at = {}, 0
    while at < len(file):
        size, kind = struct.unpack_from(">I4s", file, at)
        found[kind.decode()] = file[at : at + size]
        at += size
    return found


@pytest.mark.parametrize("fast_start", [False, True])
def test_a_video_is_accepted_with_either_box_order(fast_start: bool) -> None:
    assert check(real(fast_start)) == _REAL


@pytest.mark.parametrize(("width", "height", "seconds"), [(864, 480, 0.5), (480, 864, 2.0), (640, 640, 1.5)])
def test_picture_size_and_duration_are_read(width: int, height: int, seconds: float) -> None:
    assert check(mp4(width, height, seconds)) == Mp4Metadata(width, height, seconds)


@given(st.integers(1, 5000))
def test_chunk_boundaries_do_not_matter(chunk: int) -> None:
    assert check(real(), chunk) == _REAL


def test_empty_chunks_do_not_matter() -> None:
    checker = Mp4Checker()
    for piece in (b"", real()[:3], b"", real()[3:], b""):
        checker.feed(piece)
    assert checker.finish() == _REAL


def test_a_box_can_have_a_64_bit_size() -> None:
    parts = boxes(real())
    large = (
        parts["ftyp"]
        + box("mdat", parts["mdat"][8:], large=True)
        + box("moov", parts["moov"][8:], large=True)
    )
    assert [check(large, chunk) for chunk in (1, 13, 10**6)] == [_REAL] * 3


def test_the_last_box_can_extend_to_the_end_of_the_file() -> None:
    parts = boxes(real())
    assert check(parts["ftyp"] + parts["moov"] + b"\0\0\0\0mdat" + parts["mdat"][8:]) == _REAL
    assert check(parts["ftyp"] + parts["mdat"] + b"\0\0\0\0moov" + parts["moov"][8:]) == _REAL


def test_unknown_boxes_are_skipped() -> None:
    assert check(real() + box("free", bytes(5000)) + box("uuid", b"x" * 16) + box("skip")) == _REAL


def test_version_1_headers_are_read() -> None:
    mvhd = b"\1\0\0\0" + struct.pack(">QQIQ", 0, 0, 1000, 2500) + bytes(80)
    tkhd = b"\1\0\0\7" + bytes(84) + struct.pack(">II", 1280 << 16, 704 << 16)
    hdlr = bytes(8) + b"vide" + bytes(13)
    trak = box("trak", box("tkhd", tkhd) + box("mdia", box("hdlr", hdlr)))
    assert check(box("ftyp") + box("moov", box("mvhd", mvhd) + trak) + box("mdat")) == Mp4Metadata(
        1280, 704, 2.5
    )


def test_the_audio_track_is_ignored() -> None:
    parts = boxes(real())
    sound = box("trak", box("tkhd", bytes(84)) + box("mdia", box("hdlr", bytes(8) + b"soun")))
    assert check(parts["ftyp"] + parts["mdat"] + box("moov", sound + parts["moov"][8:])) == _REAL


@pytest.mark.parametrize(
    "file",
    [
        b"<!DOCTYPE html><html><body>Service unavailable</body></html>",
        b'{"error": {"code": "NoSuchKey"}}',
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        bytes(1000),
        box("moov") + box("ftyp") + box("mdat"),
        box("ftyp") + b"\0\0\0\7mdat",
        box("ftyp") + b"\0\0\0\1mdat" + struct.pack(">Q", 15),
    ],
    ids=["html", "json", "png", "zeros", "order", "short-size", "short-large-size"],
)
def test_other_files_are_refused_at_once(file: bytes) -> None:
    checker = Mp4Checker()
    with pytest.raises(InvalidVideo) as refused:
        checker.feed(file)
    assert not refused.value.truncated


@given(st.data())
def test_every_truncated_video_is_refused(data: st.DataObject) -> None:
    file = real(fast_start=True)
    with pytest.raises(InvalidVideo) as refused:
        check(file[: data.draw(st.integers(0, len(file) - 1))])
    assert refused.value.truncated


@pytest.mark.parametrize("gone", ["moov", "mdat"])
def test_a_required_box_must_be_present(gone: str) -> None:
    parts = boxes(real())
    del parts[gone]
    with pytest.raises(InvalidVideo, match=gone):
        check(b"".join(parts.values()))


@pytest.mark.parametrize("moov", [b"", box("mvhd", bytes(100)), b"\0\0\0\xfftrak", bytes(7)])
def test_an_invalid_moov_is_refused(moov: bytes) -> None:
    with pytest.raises(InvalidVideo):
        check(box("ftyp") + box("moov", moov) + box("mdat"))


def test_two_moov_boxes_are_refused() -> None:
    with pytest.raises(InvalidVideo, match="two"):
        check(real() + boxes(real())["moov"])


@given(st.data())
def test_a_damaged_moov_never_breaks_the_checker(data: st.DataObject) -> None:
    parts = boxes(real())
    moov = bytearray(parts["moov"])
    for _ in range(data.draw(st.integers(1, 8))):
        moov[data.draw(st.integers(8, len(moov) - 1))] = data.draw(st.integers(0, 255))
    try:
        facts = check(parts["ftyp"] + parts["mdat"] + bytes(moov))
    except InvalidVideo:
        return
    assert facts.width > 0
    assert facts.height > 0
    assert facts.duration_seconds >= 0


def test_a_huge_moov_is_refused() -> None:
    checker = Mp4Checker()
    checker.feed(box("ftyp") + struct.pack(">I4s", MOOV_BYTES_MAX + 9, b"moov"))
    checker.feed(bytes(MOOV_BYTES_MAX))
    with pytest.raises(InvalidVideo, match="too large"):
        checker.feed(b"x")


def test_a_large_file_needs_little_memory() -> None:
    checker, chunk = Mp4Checker(), bytes(64 * 1024)
    checker.feed(box("ftyp") + boxes(real())["moov"] + struct.pack(">I4s", 3200 * len(chunk) + 8, b"mdat"))
    began = time.process_time()
    for _ in range(3200):
        checker.feed(chunk)
    assert time.process_time() - began < 0.2
    assert checker.finish() == _REAL
