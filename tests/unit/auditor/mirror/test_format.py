"""The format of a mirror: incomplete and changed frames are detected, segments are sealed and verified."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.audit.nats_ledger import read_stream, small_ledger

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.errors import CommandError, SourceError
from telecine_auditor.mirror.format import (
    CHECKSUMS,
    decode_frames,
    encode_frame,
    next_valid_frame,
    read_checksums,
    segment_header,
)
from telecine_auditor.mirror.source import MirrorSource
from telecine_auditor.mirror.writer import MirrorChanged, MirrorWriter, open_mirror
from telecine_auditor.sources.message import StoredMessage

LEDGER = small_ledger(8).ledger
MOST = 5
SEGMENTS = ("00000000000000000001", "00000000000000000006", "00000000000000000011", "00000000000000000016")
FRAMES = b"".join(map(encode_frame, LEDGER))

names = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), min_size=1, max_size=40)
entries = st.builds(
    StoredMessage,
    st.integers(1, 2**63 - 1),
    st.integers(0, 2**63 - 1),
    names,
    st.binary(max_size=100),
    st.binary(max_size=300),
)


def mirror(folder: Path, ledger: list[StoredMessage] = LEDGER) -> Path:
    """A mirror of the ledger in segments of five entries, the last of which is open."""
    with open_mirror(folder, most=MOST) as written:
        writer = written.stream("LEDGER")
        writer.append(ledger)
        writer.close()
    return folder


def segment(folder: Path, number: int) -> Path:
    return folder / "LEDGER" / f"{SEGMENTS[number]}.entries"


async def read(folder: Path) -> tuple[list[StoredMessage], list[Breach]]:
    found: list[Breach] = []
    return await read_stream(MirrorSource(folder, found.append), "LEDGER"), found


@given(entries)
def test_an_encoded_entry_decodes_to_itself(entry: StoredMessage) -> None:
    frame = encode_frame(entry)
    assert decode_frames(b"xyz" + frame, 3) == ([entry], 3 + len(frame))


@given(entries, st.data())
def test_a_changed_bit_is_detected(entry: StoredMessage, data: st.DataObject) -> None:
    frame = bytearray(encode_frame(entry))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] ^= 1 << data.draw(st.integers(0, 7))
    assert decode_frames(bytes(frame), 0) == ([], 0)


@pytest.mark.parametrize("checked", [True, False])
def test_a_frame_cut_at_any_byte_is_detected(checked: bool) -> None:
    frame = encode_frame(LEDGER[0])
    for length in range(len(frame)):
        torn = frame + encode_frame(LEDGER[1])[:length]
        assert decode_frames(torn, 0, checked=checked) == ([LEDGER[0]], len(frame))


def test_a_frame_with_a_lower_sequence_is_invalid() -> None:
    data = encode_frame(LEDGER[2]) + encode_frame(LEDGER[1])
    assert decode_frames(data, 0) == ([LEDGER[2]], len(encode_frame(LEDGER[2])))
    assert decode_frames(data, 0, after=3) == ([], 0)


def test_the_next_valid_frame_is_found_after_damage() -> None:
    at = FRAMES.find(b"TLM1", 1)
    damaged = b"?" + FRAMES[1:]
    assert next_valid_frame(damaged, 0, after=0) == at
    assert next_valid_frame(b"TLM1TLM1", 0, after=0) == 8


async def test_a_mirror_returns_the_entries_that_were_written(tmp_path: Path) -> None:
    assert await read(mirror(tmp_path)) == (LEDGER, [])
    assert [path.stem for path in sorted((tmp_path / "LEDGER").iterdir())] == list(SEGMENTS)
    assert list(read_checksums(tmp_path)) == [f"LEDGER/{name}.entries" for name in SEGMENTS[:3]]


async def test_a_writer_continues_where_the_last_one_ended(tmp_path: Path) -> None:
    for end in range(1, len(LEDGER) + 1):
        with open_mirror(tmp_path, most=MOST) as written:
            writer = written.stream("LEDGER")
            assert writer.sequence == end - 1
            writer.append(LEDGER[end - 1 : end])
            writer.close()
    whole = mirror(tmp_path / "whole")
    for name in SEGMENTS:
        assert (whole / "LEDGER" / f"{name}.entries").read_bytes() == (
            tmp_path / "LEDGER" / f"{name}.entries"
        ).read_bytes()
    assert read_checksums(tmp_path) == read_checksums(whole)


async def test_an_entry_cut_at_any_byte_is_removed_and_rewritten(tmp_path: Path) -> None:
    whole = segment(mirror(tmp_path), 3).read_bytes()
    last = len(encode_frame(LEDGER[-1]))
    for cut in range(1, len(whole) - len(segment_header("LEDGER")) + 1, 53):
        segment(tmp_path, 3).write_bytes(whole[:-cut])
        found, breaches = await read(tmp_path)
        assert breaches == []
        assert found == LEDGER[: len(found)]
        with open_mirror(tmp_path, most=MOST) as written:
            writer = written.stream("LEDGER")
            assert writer.sequence == len(found)
            assert writer.cut == 0 if cut == last else writer.cut >= 0
            writer.append(LEDGER[len(found) :])
            writer.close()
        assert segment(tmp_path, 3).read_bytes() == whole


def test_an_incomplete_first_line_is_rewritten(tmp_path: Path) -> None:
    path = segment(mirror(tmp_path), 3)
    path.write_bytes(b"telecine-")
    with open_mirror(tmp_path, most=MOST) as written:
        writer = written.stream("LEDGER")
        assert (writer.sequence, writer.cut) == (15, 9)
        writer.append(LEDGER[15:])
        writer.close()
    assert path.read_bytes().startswith(segment_header("LEDGER"))


def test_a_full_unsealed_segment_is_sealed(tmp_path: Path) -> None:
    mirror(tmp_path, LEDGER[:4])
    path = segment(tmp_path, 0)
    path.write_bytes(path.read_bytes() + encode_frame(LEDGER[4]))
    with open_mirror(tmp_path, most=MOST) as written:
        assert written.stream("LEDGER").sequence == 5
    assert list(read_checksums(tmp_path)) == [f"LEDGER/{SEGMENTS[0]}.entries"]


def test_there_is_one_writer_at_a_time(tmp_path: Path) -> None:
    busy = pytest.raises(CommandError, match="another process writes to the mirror")
    with open_mirror(tmp_path), busy, open_mirror(tmp_path):
        pass
    with open_mirror(tmp_path):
        pass


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be written"), open_mirror(tmp_path / "file"):
        pass


def flip(path: Path) -> None:
    """One bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def reseal(path: Path) -> None:
    """One byte of a body, with the frame's CRC made right again."""
    entry = decode_frames(path.read_bytes(), len(segment_header("LEDGER")))[0][1]
    other = entry._replace(body=entry.body.replace(b"ann", b"eve", 1))
    path.write_bytes(path.read_bytes().replace(encode_frame(entry), encode_frame(other)))


CHANGES: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "a bit of a sealed segment": (lambda folder: flip(segment(folder, 1)), 6, "SHA256SUMS"),
    "a body of a sealed segment": (lambda folder: reseal(segment(folder, 1)), 6, "SHA256SUMS"),
    "a sealed segment cut": (lambda folder: os.truncate(segment(folder, 1), 100), 6, "SHA256SUMS"),
    "a sealed segment gone": (lambda folder: segment(folder, 1).unlink(), 6, "does not exist"),
    "the last sealed segment gone": (lambda folder: segment(folder, 2).unlink(), 11, "does not exist"),
    "the hashes gone": (lambda folder: (folder / CHECKSUMS).unlink(), 1, "not in SHA256SUMS"),
    "a segment of another stream": (
        lambda folder: segment(folder, 3).write_bytes(
            segment(folder, 3).read_bytes().replace(b"LEDGER\n", b"BUDGET\n")
        ),
        16,
        "does not begin",
    ),
    "the middle of the open segment": (
        lambda folder: segment(folder, 3).write_bytes(
            segment_header("LEDGER")
            + b"?"
            + encode_frame(LEDGER[15])[1:]
            + b"".join(map(encode_frame, LEDGER[16:]))
        ),
        16,
        "is damaged",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_named_and_the_rest_is_read(tmp_path: Path, change: str) -> None:
    deed, sequence, says = CHANGES[change]
    deed(mirror(tmp_path))
    found, breaches = await read(tmp_path)
    assert breaches[0].kind is BreachKind.MIRROR_CHANGED
    assert breaches[0].sequence == sequence
    assert says in breaches[0].message
    assert {breach.kind for breach in breaches} == {BreachKind.MIRROR_CHANGED}
    left = {entry.sequence: entry for entry in found}
    untouched = [*LEDGER[:5], LEDGER[-1]]
    assert [left.get(entry.sequence) for entry in untouched] == untouched
    assert sorted(left) == [entry.sequence for entry in found]


@pytest.mark.parametrize("change", [name for name in CHANGES if name not in ("a sealed segment gone",)])
def test_a_mirror_with_a_changed_end_is_not_continued(tmp_path: Path, change: str) -> None:
    CHANGES[change][0](mirror(tmp_path))
    last = segment(tmp_path, 3).read_bytes()
    with open_mirror(tmp_path, most=MOST) as written:
        try:
            writer = written.stream("LEDGER")
        except MirrorChanged as error:
            assert error.breach.kind is BreachKind.MIRROR_CHANGED
        else:
            assert writer.last == LEDGER[-1]
    assert segment(tmp_path, 3).read_bytes() == last


def test_a_damaged_end_is_not_continued(tmp_path: Path) -> None:
    for change in ("the hashes gone", "a segment of another stream", "the middle of the open segment"):
        folder = tmp_path / change.replace(" ", "-")
        CHANGES[change][0](mirror(folder))
        with pytest.raises(MirrorChanged), open_mirror(folder, most=MOST) as written:
            written.stream("LEDGER")


def test_the_last_sealed_segment_is_verified_when_none_is_open(tmp_path: Path) -> None:
    flip(segment(mirror(tmp_path, LEDGER[:10]), 1))
    with pytest.raises(MirrorChanged, match="SHA256SUMS"), open_mirror(tmp_path) as written:
        written.stream("LEDGER")


@pytest.mark.parametrize(
    "text", ["hello\n", "00  LEDGER/1.entries\n", f"{'0' * 64}  ../{SEGMENTS[0]}.entries\n"]
)
def test_an_invalid_list_of_hashes_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / CHECKSUMS).write_text(text)
    with pytest.raises(CommandError, match="not a list of SHA-256 sums"):
        MirrorWriter(tmp_path)


async def test_a_missing_mirror_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no mirror at"):
        MirrorSource(tmp_path / "absent", print)
    source = MirrorSource(tmp_path, print)
    with pytest.raises(SourceError, match="has no stream LEDGER"):
        await source.last("LEDGER")


async def test_a_reader_can_stop_at_a_change(tmp_path: Path) -> None:
    def refuse(breach: Breach) -> None:
        raise SourceError(str(breach))

    flip(segment(mirror(tmp_path), 0))
    with pytest.raises(SourceError, match="mirror-changed"):
        await read_stream(MirrorSource(tmp_path, refuse), "LEDGER")


async def test_a_segment_that_is_not_needed_is_not_read(tmp_path: Path) -> None:
    flip(segment(mirror(tmp_path), 0))
    found: list[Breach] = []
    source = MirrorSource(tmp_path, found.append)
    assert await read_stream(source, "LEDGER", after=5) == LEDGER[5:]
    assert await read_stream(source, "LEDGER", after=5, upto=7) == LEDGER[5:7]
    assert found == []
