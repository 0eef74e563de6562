"""Writes a mirror: append-only, one writer at a time, valid after a kill at any byte."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.errors import CommandError
from telecine_auditor.sources.message import StoredMessage

from .format import (
    CHECKSUMS,
    SEGMENT_BYTES,
    SEGMENT_ENTRIES,
    Segment,
    decode_frames,
    encode_frame,
    list_segments,
    next_valid_frame,
    read_checksums,
    segment_header,
    sha256_hex,
)

__all__ = ["MirrorChanged", "MirrorWriter", "StreamWriter", "open_mirror"]

_LOCK = "LOCK"


class MirrorChanged(Exception):
    """The mirror was changed: a breach, and it cannot be continued."""

    def __init__(self, segment: Segment, message: str) -> None:
        words = f"segment {segment.name} of the mirror {message}"
        self.breach = Breach(BreachKind.MIRROR_CHANGED, words, stream=segment.stream, sequence=segment.first)
        super().__init__(words)


class MirrorWriter:
    """The folder of a mirror, locked by one writer: its hashes, and a writer for each stream.

    `most`: how many entries a segment has at most.
    """

    def __init__(self, folder: Path, *, most: int = SEGMENT_ENTRIES) -> None:
        self.folder, self.most = folder, most
        self._sums = read_checksums(folder)
        self._writers: list[StreamWriter] = []

    def stream(self, stream: str) -> "StreamWriter":
        """Continue a stream where the mirror ends. Raises MirrorChanged."""
        writer = StreamWriter(self, stream)
        self._writers.append(writer)
        return writer

    def close(self) -> None:
        """Flush and close every stream. Raises CommandError."""
        for writer in self._writers:
            writer.close()

    def sealed(self, segment: Segment) -> str | None:
        """The hash of a sealed segment."""
        return self._sums.get(segment.name)

    def seal(self, segment: Segment, hash: str) -> None:
        """Add a hash to SHA256SUMS, which is replaced atomically."""
        self._sums[segment.name] = hash
        new = self.folder / f"{CHECKSUMS}.new"
        with new.open("w", encoding="utf-8") as file:
            file.writelines(f"{hash}  {name}\n" for name, hash in sorted(self._sums.items()))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.folder / CHECKSUMS)
        _sync_folder(self.folder)


class StreamWriter:
    """Appends the entries of one stream.

    `last` is the last mirrored entry; `cut` counts the bytes of an incomplete frame that were removed at the start,
    `sealed` the segments that were sealed since.
    """

    def __init__(self, mirror: MirrorWriter, stream: str) -> None:
        self.last: StoredMessage | None = None
        self.cut = 0
        self.sealed = 0
        self._mirror, self._stream = mirror, stream
        self._file: BinaryIO | None = None
        with _written(mirror.folder):
            self._begin()

    @property
    def sequence(self) -> int:
        """The last mirrored sequence, 0 for none."""
        return self.last.sequence if self.last else 0

    def append(self, entries: Sequence[StoredMessage]) -> None:
        """Write entries after the last one; a full segment is sealed. Raises CommandError."""
        with _written(self._mirror.folder):
            while entries:
                file = self._file or self._new(entries[0].sequence)
                now = entries[: self._mirror.most - self._count]
                frames = b"".join(map(encode_frame, now))
                file.write(frames)
                file.flush()
                self._hash.update(frames)
                self._count += len(now)
                self._size += len(frames)
                self.last = now[-1]
                self._seal_if_full()
                entries = entries[len(now) :]

    def flush(self) -> None:
        """Sync what was appended to disk. Raises CommandError."""
        if self._file is not None:
            with _written(self._mirror.folder):
                os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close the file."""
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _begin(self) -> None:
        """Find the end of the mirror; remove an incomplete frame."""
        (self._mirror.folder / self._stream).mkdir(exist_ok=True)
        segments = list_segments(self._mirror.folder, self._stream)
        for segment in segments[:-1]:
            if not self._mirror.sealed(segment):
                raise MirrorChanged(segment, f"is not in {CHECKSUMS}, and another one follows it")
        for segment in reversed(segments):
            data = (self._mirror.folder / segment.name).read_bytes()
            hash = self._mirror.sealed(segment)
            if hash and sha256_hex(data) != hash:
                raise MirrorChanged(segment, f"is not the one whose hash is in {CHECKSUMS}")
            self._find_last(segment, data, open_end=not hash)
            if self.last:
                return

    def _find_last(self, segment: Segment, data: bytes, *, open_end: bool) -> None:
        start = segment_header(segment.stream)
        if not data.startswith(start):
            if not open_end or not start.startswith(data):
                raise MirrorChanged(segment, "does not begin like a segment")
            (self._mirror.folder / segment.name).unlink()
            self.cut += len(data)
            return
        entries, end = decode_frames(data, len(start), after=segment.first - 1)
        if end < len(data) and (
            not open_end or next_valid_frame(data, end, after=segment.first - 1) < len(data)
        ):
            raise MirrorChanged(segment, f"is damaged at byte {end}")
        if entries:
            self.last = entries[-1]
        if open_end:
            self._continue(segment, data[:end], len(entries))
            self.cut += len(data) - end

    def _continue(self, segment: Segment, sound: bytes, count: int) -> None:
        path = self._mirror.folder / segment.name
        os.truncate(path, len(sound))
        self._segment, self._count, self._size, self._hash = segment, count, len(sound), sha256(sound)
        self._file = path.open("ab")
        self._seal_if_full()

    def _new(self, first: int) -> BinaryIO:
        self._segment, self._count = Segment(self._stream, first), 0
        path = self._mirror.folder / self._segment.name
        start = segment_header(self._stream)
        self._file = path.open("xb")
        self._file.write(start)
        self._file.flush()
        _sync_folder(path.parent)
        self._size, self._hash = len(start), sha256(start)
        return self._file

    def _seal_if_full(self) -> None:
        if self._count < self._mirror.most and self._size < SEGMENT_BYTES:
            return
        self.close()
        self._mirror.seal(self._segment, self._hash.hexdigest())
        self.sealed += 1


@contextmanager
def open_mirror(folder: Path, *, most: int = SEGMENT_ENTRIES) -> Iterator[MirrorWriter]:
    """Create the folder if needed, and lock it. `most`: how many entries a segment has at most.

    Raises CommandError when another process holds the lock, or the folder cannot be written.
    """
    with _written(folder):
        # A mirror may hold prompts: only its owner may read it by default.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("a")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"another process writes to the mirror {folder}") from None
        mirror = MirrorWriter(folder, most=most)
        try:
            yield mirror
        finally:
            mirror.close()


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CommandError(f"the mirror {folder} cannot be written: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
