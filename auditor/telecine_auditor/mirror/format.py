"""The format of a mirror on disk: a folder for each stream with segments of entries, and the segments' hashes.

A segment is named after its first sequence, begins with a line of text, and holds a frame for every entry:

    4 bytes   the letters ``TLM1``
    4 bytes   CRC-32 of all that follows in the frame
    4 bytes   length of the frame, all of it
    8 bytes   sequence
    8 bytes   when the server stored it, nanoseconds since 1970
    2 bytes   length of the subject
    4 bytes   length of the header lines
              subject (UTF-8), header lines as they were sent, body

Numbers are unsigned and big-endian. A full segment is sealed: its SHA-256 is added to ``SHA256SUMS``, in the format of
`sha256sum`. The open segment may end in an incomplete frame: its writer was killed.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from struct import Struct
from zlib import crc32

from telecine_auditor.errors import CommandError, SourceError
from telecine_auditor.sources.message import StoredMessage

__all__ = [
    "CHECKSUMS",
    "SEGMENT_BYTES",
    "SEGMENT_ENTRIES",
    "Segment",
    "decode_frames",
    "encode_frame",
    "has_stream",
    "list_segments",
    "list_streams",
    "next_valid_frame",
    "read_checksums",
    "segment_header",
    "sha256_hex",
]

SEGMENT_ENTRIES = 65_536
SEGMENT_BYTES = 64 * 2**20
"""A segment that has reached either limit is sealed."""
CHECKSUMS = "SHA256SUMS"
_SUFFIX = ".entries"
_MARK = b"TLM1"
_FRAME = Struct(">4sIIQQHI")
_CHECKED_FROM = 8
_SEGMENT = re.compile(r"([0-9]{20})\.entries")
_STREAM = re.compile(r"(?!LOCK$|SHA256SUMS$)[A-Z0-9_-]+")
_SUM = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_-]+/[0-9]{20}\.entries)")


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of entries, the first of which is the entry `first`."""

    stream: str
    first: int

    @property
    def name(self) -> str:
        """Its path within the mirror, as in SHA256SUMS."""
        return f"{self.stream}/{self.first:020}{_SUFFIX}"


def segment_header(stream: str) -> bytes:
    """The first line of every segment."""
    return f"telecine-mirror 1 {stream}\n".encode()


def encode_frame(entry: StoredMessage) -> bytes:
    """One entry as a frame of a segment."""
    subject = entry.subject.encode()
    size = _FRAME.size + len(subject) + len(entry.head) + len(entry.body)
    place = (size, entry.sequence, entry.stored_at, len(subject), len(entry.head))
    frame = b"".join((_FRAME.pack(_MARK, 0, *place), subject, entry.head, entry.body))
    crc = crc32(memoryview(frame)[_CHECKED_FROM:])
    return b"".join((_MARK, crc.to_bytes(4, "big"), frame[_CHECKED_FROM:]))


def decode_frames(
    data: bytes, at: int, *, after: int = 0, most: int = 2**63, checked: bool = True
) -> tuple[list[StoredMessage], int]:
    """Up to `most` entries of a segment from offset `at` on, and the offset after them.

    Stops before an invalid frame: incomplete, with a wrong CRC (where `checked`), or with a sequence that is not
    greater than the previous one, `after` at first.
    """
    found: list[StoredMessage] = []
    end, frame, size_of_frame, view = len(data), _FRAME.unpack_from, _FRAME.size, memoryview(data)
    # The generated `__new__` of a NamedTuple is a Python function: a third of the time that reading an entry takes.
    new = tuple.__new__
    while len(found) < most and end - at >= size_of_frame:
        mark, crc, size, sequence, stored_at, subject, head = frame(data, at)
        stop, a = at + size, at + size_of_frame
        b, c = a + subject, a + subject + head
        if mark != _MARK or stop > end or c > stop or sequence <= after:
            break
        if checked and crc32(view[at + _CHECKED_FROM : stop]) != crc:
            break
        text = data[a:b].decode("utf-8", "replace")
        found.append(new(StoredMessage, (sequence, stored_at, text, data[b:c], data[c:stop])))
        at, after = stop, sequence
    return found, at


def next_valid_frame(data: bytes, at: int, *, after: int) -> int:
    """The offset of the next valid frame after offset `at`; the end of the data without one."""
    at = data.find(_MARK, at + 1)
    while at >= 0:
        if decode_frames(data, at, after=after, most=1)[0]:
            return at
        at = data.find(_MARK, at + 1)
    return len(data)


def list_streams(folder: Path) -> list[str]:
    """The streams of a mirror. Raises SourceError when one of them is not a readable folder."""
    streams = sorted(name for name in _listed(folder) if _STREAM.fullmatch(name))
    for stream in streams:
        _listed(folder / stream)
    return streams


def has_stream(folder: Path, stream: str) -> bool:
    """Whether the mirror has the stream, readable or not. Raises SourceError when that cannot be determined."""
    return stream in _listed(folder)


def list_segments(folder: Path, stream: str) -> list[Segment]:
    """The segments of one stream that are on disk, in order. Raises SourceError for a folder that cannot be read."""
    found = map(_SEGMENT.fullmatch, _listed(folder / stream))
    return sorted(Segment(stream, int(name[1])) for name in found if name)


def _listed(folder: Path) -> list[str]:
    """The names in a folder."""
    # `Path.glob` and `Path.is_dir` would treat an unreadable folder as an empty one.
    try:
        return [path.name for path in folder.iterdir()]
    except OSError as error:
        raise SourceError(f"the mirror's folder {folder} cannot be read: {error.strerror}") from error


def read_checksums(folder: Path) -> dict[str, str]:
    """SHA256SUMS: the hash of every sealed segment by its name; empty while none is sealed.

    Raises CommandError when the file has another format.
    """
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        if CHECKSUMS in _listed(folder):
            raise CommandError(f"{folder / CHECKSUMS} is a dangling link") from None
        return {}
    except (OSError, ValueError) as error:
        raise CommandError(f"{folder / CHECKSUMS} cannot be read: {type(error).__name__}") from error
    found = [_SUM.fullmatch(line) for line in lines]
    if not all(found):
        raise CommandError(f"{folder / CHECKSUMS} is not a list of SHA-256 sums of this mirror")
    return {match[2]: match[1] for match in found if match}


def sha256_hex(data: bytes) -> str:
    """SHA-256, as SHA256SUMS writes it."""
    return sha256(data).hexdigest()
