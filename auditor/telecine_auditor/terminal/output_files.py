"""Files that commands write, by `--out` and `--save`: a regular file is replaced, anything else is written to."""

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
"""Names below these, and links to them, stand for what is open already: /dev/stdout may be a file that a shell opened,
perhaps to append to it."""


@contextmanager
def new_file(path: Path, *, mode: int = _BY_UMASK) -> Iterator[BinaryIO]:
    """A file that appears at `path` when the block ends, whole and on disk, and not at all after an error.

    A symbolic link stays, and what it names is replaced. Pipes, sockets and devices are written to as bytes come, and
    stay as well. A new file has `mode`, less the umask; one that is replaced leaves its mode to its successor. Raises
    CommandError.
    """
    try:
        if _is_written_through(path):
            with path.open("ab") as file:
                yield file
        else:
            with _replaced(Path(os.path.realpath(path)), mode) as file:
                yield file
    except OSError as error:
        raise CommandError(f"{path} can't be written: {os.strerror(error.errno or 0)}") from error


@contextmanager
def text_file(path: Path) -> Iterator[TextIO]:
    """The same for text in UTF-8."""
    with new_file(path) as file:
        text = TextIOWrapper(file, encoding="utf-8", newline="\n")
        yield text
        text.detach()


def _is_written_through(path: Path) -> bool:
    """Whether the name, or a link on the way, stands for something else than a file or a place for one."""
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
