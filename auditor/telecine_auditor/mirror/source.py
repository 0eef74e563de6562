"""Reads entries from a mirror on disk; the hash of every sealed segment is verified first."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.errors import SourceError
from telecine_auditor.sources.message import StoredMessage

from .format import (
    Segment,
    decode_frames,
    has_stream,
    list_segments,
    next_valid_frame,
    read_checksums,
    segment_header,
    sha256_hex,
)

__all__ = ["MirrorSource"]

OnBreach = Callable[[Breach], None]
_BATCH = 2000


class MirrorSource:
    """A source over a mirror's folder, which may grow meanwhile. One segment is in memory at a time.

    Changes are reported to `on_breach`, and reading continues after them. `unread` names bytes that are not entries.
    """

    def __init__(self, folder: Path, on_breach: OnBreach) -> None:
        """Raises SourceError when the folder does not exist or cannot be read."""
        if not os.path.lexists(folder):
            raise SourceError(f"there is no mirror at {folder}: `telecine-audit mirror {folder}` creates one")
        self._folder = folder
        self._on_breach = on_breach
        self._incomplete: dict[str, int] = {}
        has_stream(folder, "")

    @property
    def unread(self) -> list[str]:
        return [
            f"{number} bytes at the end of {name} are not a complete entry: the mirror was stopped, or is being written"
            for name, number in self._incomplete.items()
        ]

    async def has(self, stream: str) -> bool:
        return has_stream(self._folder, stream)

    async def last(self, stream: str) -> int:
        for segment in reversed(self._segments(stream)):
            last = 0
            for entries in self._entries(segment, self._read(segment), segment.first - 1, _ignore):
                last = entries[-1].sequence
            if last:
                return last
        return 0

    async def batches(
        self, stream: str, *, after: int = 0, upto: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        end = await self.last(stream) if upto is None else upto
        for entries in self._read_segments(stream, after, end):
            if entries[0].sequence > after and entries[-1].sequence <= end:
                yield entries
            elif wanted := [entry for entry in entries if after < entry.sequence <= end]:
                yield wanted

    async def close(self) -> None:
        """Nothing is open between two segments."""

    def _segments(self, stream: str) -> list[Segment]:
        if not has_stream(self._folder, stream):
            raise SourceError(f"the mirror at {self._folder} has no stream {stream}")
        return list_segments(self._folder, stream)

    def _read_segments(self, stream: str, after: int, end: int) -> Iterator[Sequence[StoredMessage]]:
        """The contents of the segments that have entries after `after`, up to `end`."""
        segments = self._segments(stream)
        # Read after the list of segments: a segment that is sealed in between is then verified.
        sums = read_checksums(self._folder)
        self._report_missing(stream, segments, sums)
        previous = 0
        for segment, following in zip(segments, [*segments[1:], None], strict=False):
            if segment.first > end or (following and following.first <= after + 1):
                continue
            for entries in self._verified(segment, sums.get(segment.name), max(previous, segment.first - 1)):
                previous = entries[-1].sequence
                yield entries

    def _verified(
        self, segment: Segment, sealed: str | None, after: int
    ) -> Iterator[Sequence[StoredMessage]]:
        data = self._read(segment)
        if sealed and sha256_hex(data) == sealed:
            yield from self._entries(segment, data, after, self._on_breach, checked=False)
            return
        if sealed:
            self._on_breach(_changed(segment, after, "is not the one whose hash is in SHA256SUMS"))
        yield from self._entries(segment, data, after, self._on_breach)

    def _report_missing(self, stream: str, segments: Sequence[Segment], sums: Mapping[str, str]) -> None:
        for segment in segments[:-1]:
            if segment.name not in sums:
                self._on_breach(_changed(segment, segment.first - 1, "is full and not in SHA256SUMS"))
        for name in sums:
            segment = Segment(*_place(name))
            if segment.stream == stream and segment not in segments:
                self._on_breach(_changed(segment, segment.first - 1, "is in SHA256SUMS and does not exist"))

    def _entries(
        self, segment: Segment, data: bytes, after: int, on_breach: OnBreach, *, checked: bool = True
    ) -> Iterator[Sequence[StoredMessage]]:
        """The valid entries of a segment, in batches. An incomplete end is not a breach: its writer was stopped."""
        at = len(segment_header(segment.stream))
        if data[:at] != segment_header(segment.stream)[: len(data)]:
            on_breach(_changed(segment, after, "does not begin like a segment of this stream"))
        self._incomplete.pop(segment.name, None)
        if len(data) < at:
            self._incomplete[segment.name] = len(data)
        while at < len(data):
            found, at = decode_frames(data, at, after=after, most=_BATCH, checked=checked)
            if found:
                after = found[-1].sequence
                yield found
            if len(found) < _BATCH and at < len(data):
                incomplete_at, at = at, next_valid_frame(data, at, after=after)
                if at < len(data):
                    on_breach(_changed(segment, after, f"is damaged after entry {after}"))
                else:
                    self._incomplete[segment.name] = len(data) - incomplete_at

    def _read(self, segment: Segment) -> bytes:
        path = self._folder / segment.name
        try:
            return path.read_bytes()
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def _place(name: str) -> tuple[str, int]:
    """Stream and first sequence of a segment, from its name in SHA256SUMS."""
    stream, _, file = name.partition("/")
    return stream, int(Path(file).stem)


def _changed(segment: Segment, after: int, message: str) -> Breach:
    words = f"segment {segment.name} of the mirror {message}"
    return Breach(BreachKind.MIRROR_CHANGED, words, stream=segment.stream, sequence=after + 1)


def _ignore(breach: Breach) -> None:
    """Breaches are reported when the entries themselves are read."""
