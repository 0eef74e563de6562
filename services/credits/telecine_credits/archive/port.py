"""Where checkpoints are kept outside NATS: who rewrites the stream can't rewrite these as well.

ArchiveError
├── ArchiveUnavailable  it gave no answer or does not let us in: try again later
└── AnotherNote         it holds another checkpoint of the same size: two histories were signed
"""

from typing import Protocol

from telecine_contracts.signed_note import BadNote, Checkpoint, Note

__all__ = ["LATEST", "AnotherNote", "ArchiveError", "ArchiveUnavailable", "CheckpointArchive", "name_of"]

LATEST = "latest.txt"
"""The name under which the note of the largest size is kept a second time."""


class ArchiveError(Exception):
    """A checkpoint could not be kept."""


class ArchiveUnavailable(ArchiveError):
    """The archive could not be written; nothing is known about the checkpoint."""


class AnotherNote(ArchiveError):
    """The archive holds another note of this size, which stays: a log may not sign two histories."""


class CheckpointArchive(Protocol):
    """One text a checkpoint, under `name_of` its size, and the largest of them under LATEST as well."""

    @property
    def place(self) -> str:
        """What a log line or a person calls this archive; no secret."""
        ...

    async def keep(self, size: int, note: str) -> None:
        """Have the signed note of the first `size` entries. Keeping it again changes nothing.

        Raises AnotherNote or ArchiveUnavailable.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections and threads."""
        ...


def name_of(size: int) -> str:
    """The name of a checkpoint's file: names sort as sizes do."""
    return f"ledger-{size:020}.txt"


def is_older(found: str | None, size: int) -> bool:
    """Whether what stands under LATEST may be replaced by the checkpoint of `size`."""
    if found is None:
        return True
    try:
        return Checkpoint.of(Note.of(found).text).size < size
    except BadNote:
        return True
