"""Files that `--out` and `--save` name: a regular file is replaced, a pipe or device is written to."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

from telecine_auditor.errors import CommandError

__all__ = ["new_file", "text_file"]

_BY_UMASK = 0o666
_OPENED_ALREADY = (Path("/dev/fd"), Path("/proc"))
"""Names below these, and links to them, are files that are already open: /dev/stdout may be a file that a shell opened,
perhaps for appending."""


@contextmanager
def new_file(path: Path, *, mode: int = _BY_UMASK) -> Iterator[BinaryIO]:
    """A file that appears at `path` when the block ends, complete and synced to disk, and not at all after an error.

    The target of a symbolic link is replaced, the link stays. Pipes, sockets and devices are written to directly. A new
    file has `mode` minus the umask; a replaced file keeps its mode. Raises CommandError.
    """
    try:
        if _is_written_through(path):
            with path.open("ab") as file:
                yield file
        else:
            with _replaced(Path(os.path.realpath(path)), mode) as file:
                yield file
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {os.strerror(error.errno or 0)}") from error


@contextmanager
def text_file(path: Path) -> Iterator[TextIO]:
    """The same for text in UTF-8."""
    with new_file(path) as file:
        text = TextIOWrapper(file, encoding="utf-8", newline="\n")
        yield text
        text.detach()


def _is_written_through(path: Path) -> bool:
    """Whether the name, or a link on the way, is something else than a regular file or a free name."""
    for _ in range(40):  # as many links as Linux follows
        if any(path.absolute().is_relative_to(place) for place in _OPENED_ALREADY):
            return True
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return path.exists() and not path.is_file()


@contextmanager
def _replaced(path: Path, mode: int) -> Iterator[BinaryIO]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), _mode_for(path, mode))
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _mode_for(path: Path, mode: int) -> int:
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return mode & ~umask
