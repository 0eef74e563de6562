"""A file of JSON lines that is its own bookmark: the last whole line says how far we have come."""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

_BLOCK = 64 * 1024


class LineFile:
    """Opened by one process at a time: a second one waits until the first has ended.

    Output and position are one write, so they can't disagree. A line that a crash cut short is removed on opening;
    its event was not acknowledged and comes again.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        whole, last = _last_line(self._file)
        self._file.truncate(whole)
        self._size = whole
        self.last = int(json.loads(last)["sequence"]) if last else 0
        """The sequence of the last event that is in the file; 0 when it is empty."""
        _sync_folder(path.parent)

    def append(self, line: Mapping[str, Any]) -> None:
        """Add a line, on disk when this returns. After an error nothing of it is left in the file."""
        data = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        try:
            written = self._file.write(data)
            if written != len(data):
                raise OSError(f"only {written} of {len(data)} bytes were written")
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._size)
            raise
        self._size += len(data)
        self.last = int(line["sequence"])

    def close(self) -> None:
        """Give the file free for the next process."""
        self._file.close()


def _last_line(file: BinaryIO) -> tuple[int, bytes]:
    """Where the last whole line ends, and the line itself, however long it is."""
    start, tail = file.seek(0, os.SEEK_END), b""
    while start > 0 and tail.count(b"\n") < 2:
        size = min(_BLOCK, start)
        start -= size
        file.seek(start)
        tail = file.read(size) + tail
    whole = tail.rfind(b"\n") + 1
    return start + whole, tail[:whole].rstrip(b"\n").rpartition(b"\n")[2]


def _sync_folder(folder: Path) -> None:
    """A new file is only safe once its name is on disk as well."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
