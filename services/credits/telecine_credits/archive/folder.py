"""Archive in a folder, preferably on another disk or machine than NATS."""

import os
import tempfile
from pathlib import Path

from telecine_chassis.runtime.cancellation import run_in_thread

from .port import LATEST, ArchiveUnavailable, ConflictingNote, is_older, object_name

__all__ = ["FolderArchive"]

_READABLE = 0o644
"""Auditors read checkpoints under other users; mkstemp creates files that only the owner can read."""


class FolderArchive:
    """One file per checkpoint, written atomically and synced to disk when `keep` returns."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def place(self) -> str:
        return str(self._folder)

    async def keep(self, size: int, note: str) -> None:
        """See CheckpointArchive.keep. Creates the folder if it is missing."""
        await run_in_thread(lambda: self._keep(size, note))

    async def aclose(self) -> None:
        """Nothing to release."""

    def _keep(self, size: int, note: str) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            found = self._read(object_name(size))
            if found is None:
                self._write(object_name(size), note)
            elif found != note:
                raise ConflictingNote(f"{object_name(size)} in {self.place} differs from the note to store")
            if is_older(self._read(LATEST), size):
                self._write(LATEST, note)
        except OSError as error:
            raise ArchiveUnavailable(f"{type(error).__name__}: {error.strerror}") from error

    def _read(self, name: str) -> str | None:
        try:
            return (self._folder / name).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None

    def _write(self, name: str, note: str) -> None:
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=self._folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(note.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(_READABLE)
            Path(temporary).replace(self._folder / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _sync(self._folder)


def _sync(folder: Path) -> None:
    """Sync the folder: only then is a new file name on disk."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
