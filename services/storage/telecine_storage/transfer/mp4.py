"""Checks an mp4 file chunk by chunk and reads its picture size and duration, without keeping the media data."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MOOV_BYTES_MAX = 16 * 1024 * 1024
"""Maximum size of the `moov` box, which is kept in memory. A minute of video needs some tens of kilobytes."""

_SHORT_HEADER = 8
_LONG_HEADER = 16
_TO_END_OF_FILE = -1


class InvalidVideo(Exception):
    """The bytes are not a complete mp4 file with a picture; `truncated` if only the end is missing."""

    def __init__(self, reason: str, *, truncated: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.truncated = truncated


@dataclass(frozen=True, slots=True)
class Mp4Metadata:
    """Picture size in pixels and duration in seconds (0.0 for a fragmented file without one)."""

    width: int
    height: int
    duration_seconds: float


class Mp4Checker:
    """Parses the top-level boxes of a file chunk by chunk and keeps only `moov`.

    `feed` raises InvalidVideo as soon as the bytes cannot be an mp4, `finish` if the file is incomplete.
    """

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        self._seen: set[bytes] = set()
        self._moov = bytearray()
        self._keeping = False

    def feed(self, chunk: bytes) -> None:
        """Parses the next bytes of the file. Raises InvalidVideo."""
        at = 0
        while at < len(chunk):
            at = self._read_body(chunk, at) if self._left else self._read_header(chunk, at)

    def finish(self) -> Mp4Metadata:
        """The metadata of the complete file. Raises InvalidVideo."""
        if self._left > 0 or self._header:
            raise InvalidVideo("the file ends in the middle of a box", truncated=True)
        for kind in (b"ftyp", b"moov", b"mdat"):
            if kind not in self._seen:
                raise InvalidVideo(f"the file has no {kind.decode()} box", truncated=True)
        return _facts(memoryview(self._moov))

    def _read_body(self, chunk: bytes, at: int) -> int:
        end = len(chunk) if self._left == _TO_END_OF_FILE else min(len(chunk), at + self._left)
        if self._keeping:
            if len(self._moov) + end - at > MOOV_BYTES_MAX:
                raise InvalidVideo("the moov box is too large")
            self._moov += memoryview(chunk)[at:end]
        if self._left != _TO_END_OF_FILE:
            self._left -= end - at
        return end

    def _read_header(self, chunk: bytes, at: int) -> int:
        wanted = _LONG_HEADER if self._header[:4] == b"\0\0\0\1" else _SHORT_HEADER
        taken = chunk[at : at + wanted - len(self._header)]
        self._header += taken
        if len(self._header) == wanted and (wanted == _LONG_HEADER or self._header[:4] != b"\0\0\0\1"):
            self._open_box(bytes(self._header))
            self._header.clear()
        return at + len(taken)

    def _open_box(self, header: bytes) -> None:
        size, kind = struct.unpack_from(">I4s", header)
        if not self._seen and kind != b"ftyp":
            raise InvalidVideo("the first box is not ftyp")
        if size == 0:
            self._left = _TO_END_OF_FILE
        else:
            full = struct.unpack_from(">Q", header, 8)[0] if size == 1 else size
            if full < len(header):
                raise InvalidVideo("a box is smaller than its header")
            self._left = full - len(header)
        self._keeping = kind == b"moov"
        if self._keeping and kind in self._seen:
            raise InvalidVideo("the file has two moov boxes")
        self._seen.add(kind)


def _facts(moov: memoryview) -> Mp4Metadata:
    for kind, trak in _boxes(moov):
        if kind == b"trak" and _is_video(trak):
            width, height = _picture(_child(trak, b"tkhd"))
            return Mp4Metadata(width, height, _duration(moov, trak))
    raise InvalidVideo("the file has no video track")


def _boxes(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    at = 0
    while at + _SHORT_HEADER <= len(view):
        size, kind = struct.unpack_from(">I4s", view, at)
        start = at + _SHORT_HEADER
        if size == 1 and start + 8 <= len(view):
            (size,) = struct.unpack_from(">Q", view, start)
            start += 8
        end = len(view) if size == 0 else at + size
        if end < start or end > len(view):
            raise InvalidVideo("a box does not fit into the box around it")
        yield kind, view[start:end]
        at = end


def _child(view: memoryview, *path: bytes) -> memoryview:
    """The body of the first box at the path below `view`; empty if there is none."""
    for name in path:
        view = next((body for kind, body in _boxes(view) if kind == name), memoryview(b""))
    return view


def _is_video(trak: memoryview) -> bool:
    return bytes(_child(trak, b"mdia", b"hdlr")[8:12]) == b"vide"


def _picture(tkhd: memoryview) -> tuple[int, int]:
    # Version 1 holds 64-bit times, twelve bytes more; both sizes are 16.16 fixed point.
    at = 88 if _is_wide(tkhd) else 76
    if len(tkhd) < at + 8:
        raise InvalidVideo("the track header is too short")
    width, height = (value >> 16 for value in struct.unpack_from(">II", tkhd, at))
    if not width or not height:
        raise InvalidVideo("the picture has no size")
    return width, height


def _duration(moov: memoryview, trak: memoryview) -> float:
    # mvhd includes edits; the media header is the fallback.
    for box in (_child(moov, b"mvhd"), _child(trak, b"mdia", b"mdhd")):
        if seconds := _seconds(box):
            return seconds
    if _child(moov, b"mvex"):
        return 0.0
    raise InvalidVideo("the film has no duration")


def _seconds(box: memoryview) -> float:
    """The duration from mvhd or mdhd, which begin alike: version and flags, two times, time scale, duration."""
    wide = _is_wide(box)
    layout, at = (">IQ", 20) if wide else (">II", 12)
    if len(box) < at + struct.calcsize(layout):
        return 0.0
    scale, duration = struct.unpack_from(layout, box, at)
    unknown = 0xFFFFFFFFFFFFFFFF if wide else 0xFFFFFFFF
    return duration / scale if scale and duration != unknown else 0.0


def _is_wide(box: memoryview) -> bool:
    return bytes(box[:1]) == b"\1"
