"""Port of archives that store checkpoints outside NATS, so that rewriting the stream is detected.

ArchiveError
├── ArchiveUnavailable  no answer, or access denied: retry later
└── ConflictingNote     another checkpoint of the same size is stored: two histories were signed
"""

from typing import Protocol

from telecine_contracts.signed_note import BadNote, Checkpoint, Note

__all__ = [
    "LATEST",
    "ArchiveError",
    "ArchiveUnavailable",
    "CheckpointArchive",
    "ConflictingNote",
    "object_name",
]

LATEST = "latest.txt"
"""Name of the copy of the note with the largest size."""


class ArchiveError(Exception):
    """A checkpoint could not be stored."""


class ArchiveUnavailable(ArchiveError):
    """The archive could not be written; whether it has the checkpoint is not known."""


class ConflictingNote(ArchiveError):
    """The archive holds another note of this size and keeps it: a log must not sign two histories."""


class CheckpointArchive(Protocol):
    """One text per checkpoint, named `object_name(size)`, and a copy of the largest one named LATEST."""

    @property
    def place(self) -> str:
        """Location of the archive for logs and messages, without secrets."""
        ...

    async def keep(self, size: int, note: str) -> None:
        """Store the signed note of the first `size` entries. Storing it again changes nothing.

        Raises ConflictingNote or ArchiveUnavailable.
        """
        ...

    async def aclose(self) -> None:
        """Release connections and threads."""
        ...


def object_name(size: int) -> str:
    """File name of a checkpoint; names sort like sizes."""
    return f"ledger-{size:020}.txt"


def is_older(found: str | None, size: int) -> bool:
    """Whether the text stored as LATEST is to be replaced by the checkpoint of `size`."""
    if found is None:
        return True
    try:
        return Checkpoint.of(Note.of(found).text).size < size
    except BadNote:
        return True
