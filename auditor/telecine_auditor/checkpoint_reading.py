"""Signed checkpoints: from the CHECKPOINTS stream or a file, each verified with the keys that are trusted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from telecine_contracts.signed_note import Checkpoint, VerifierKey

from .breach import Breach
from .source import Source

__all__ = ["SignedCheckpoint", "from_file", "published", "read_keys"]


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose signature holds. `place` says where it came from, for people."""

    checkpoint: Checkpoint
    note: str
    signed_by: str
    place: str


def read_keys(arguments: Sequence[str]) -> tuple[VerifierKey, ...]:
    """The keys that `--key` names: each a key's text, or a file with one a line. Raises CommandError."""
    raise NotImplementedError


async def published(
    source: Source, keys: Sequence[VerifierKey], on_breach: Callable[[Breach], None]
) -> list[SignedCheckpoint]:
    """Every checkpoint of the CHECKPOINTS stream that one of the keys signed, in order of the stream.

    One that does not verify is the breach checkpoint-forged. An empty list when the source has no such stream.
    Raises SourceError.
    """
    raise NotImplementedError


def from_file(path: Path, keys: Sequence[VerifierKey]) -> SignedCheckpoint:
    """The checkpoint in a file. Raises CommandError when it can't be read or no trusted key signed it."""
    raise NotImplementedError
