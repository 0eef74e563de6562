"""Signed checkpoints: from the CHECKPOINTS stream or from files, verified with the trusted keys."""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic_core import from_json

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.errors import CommandError, InvalidSignature, NoTrustedSignature
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.port import CHECKPOINTS, LEDGER, Source
from telecine_contracts.checkpoints import CheckpointSigned
from telecine_contracts.signed_note import BadNote, Checkpoint, VerifierKey

from .signatures import verify_note

__all__ = [
    "PublishedCheckpoints",
    "SignedCheckpoint",
    "read_checkpoint_file",
    "read_checkpoints",
    "read_keys",
    "read_published",
]

_LOG = LEDGER.lower()


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint whose signature holds. `place` says where it came from, for people.

    `signed_by` is the name of the trusted key; empty where no key was given, so that nothing could be verified.
    """

    checkpoint: Checkpoint
    note: str
    signed_by: str
    place: str


@dataclass(frozen=True, slots=True)
class PublishedCheckpoints:
    """Checkpoints of the ledger from the CHECKPOINTS stream, in its order; `refused` counts the others."""

    checkpoints: list[SignedCheckpoint] = field(default_factory=list)
    refused: int = 0


def read_keys(arguments: Sequence[str]) -> tuple[VerifierKey, ...]:
    """The keys of `--key`: the text of a key, or a file with one key per line. Raises CommandError."""
    return tuple(key for argument in arguments for key in _keys(argument))


async def read_published(
    source: Source, keys: Sequence[VerifierKey], on_breach: Callable[[Breach], None]
) -> PublishedCheckpoints:
    """Every checkpoint of the ledger in the CHECKPOINTS stream that one of the keys signed, in order of the stream.

    One that does not verify is the breach checkpoint-forged; without keys all are taken at their word. A sequence that
    is missing is the breach checkpoint-missing: the stream is never purged. Nothing when the source has no such stream.
    Ask how far LEDGER goes after this, not before: else the last checkpoint may speak of more than is read then.
    Raises SourceError.
    """
    found, forged, sequence = list[SignedCheckpoint](), list[Breach](), 0
    if not await source.has(CHECKPOINTS):
        return PublishedCheckpoints()
    last = await source.last(CHECKPOINTS)
    async for entries in source.batches(CHECKPOINTS, upto=last):
        for entry in entries:
            _miss(sequence + 1, entry.sequence - 1, on_breach)
            found += _of_entry(entry, keys, forged.append)
            sequence = entry.sequence
    _miss(sequence + 1, last, on_breach)
    for breach in forged:
        on_breach(breach)
    return PublishedCheckpoints(found, len(forged))


def _miss(first: int, last: int, on_breach: Callable[[Breach], None]) -> None:
    if first <= last:
        message = f"sequence {first} of the stream is missing" + (
            f", and all up to {last}" if last > first else ""
        )
        on_breach(Breach(BreachKind.CHECKPOINT_MISSING, message, CHECKPOINTS, first))


def read_checkpoint_file(path: Path, keys: Sequence[VerifierKey]) -> SignedCheckpoint:
    """The checkpoint in a file; without keys it is taken at its word.

    Raises CommandError when it can't be read, or none of the keys signed it.
    """
    try:
        note = path.read_bytes().decode()
        checkpoint, name = verify_note(note, keys)
    except OSError as error:
        raise CommandError(f"cannot read the checkpoint {path}: {error.strerror}") from error
    except (ValueError, InvalidSignature, NoTrustedSignature) as error:
        raise CommandError(f"{path} is not a trusted checkpoint: {error}") from None
    return SignedCheckpoint(checkpoint, note, name, str(path))


def read_checkpoints(path: Path, keys: Sequence[VerifierKey]) -> list[SignedCheckpoint]:
    """The same for a file, or for every `*.txt` in a folder, as credits keeps them outside NATS; smallest first."""
    try:
        files = sorted(file for file in path.iterdir() if file.suffix == ".txt")
    except NotADirectoryError:
        return [read_checkpoint_file(path, keys)]
    except OSError as error:
        raise CommandError(f"cannot read checkpoints from {path}: {error.strerror}") from error
    found = [read_checkpoint_file(file, keys) for file in files]
    if not found:
        raise CommandError(f"the folder {path} has no checkpoints (files named *.txt)")
    return sorted(found, key=lambda one: one.checkpoint.size)


def _keys(argument: str) -> Iterator[VerifierKey]:
    lines = [argument]
    if "+" not in argument or Path(argument).is_file():
        try:
            lines = Path(argument).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise CommandError(f"--key {argument} is neither a key nor a readable file: {error}") from error
    texts = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not texts:
        raise CommandError(f"the file {argument} has no keys; expected one per line")
    for text in texts:
        try:
            yield VerifierKey.of(text)
        except BadNote as error:
            raise CommandError(f"--key {argument} is not a verifier key: {error}") from None


def _of_entry(
    entry: StoredMessage, keys: Sequence[VerifierKey], on_breach: Callable[[Breach], None]
) -> Iterator[SignedCheckpoint]:
    """The checkpoint in an entry of CHECKPOINTS; nothing for another log."""
    try:
        said = from_json(entry.body)
        if entry.type == CheckpointSigned.type and said["log"] != _LOG:
            return
        checkpoint, name = verify_note(said["note"], keys)
        repeated = checkpoint.size, base64.b64encode(checkpoint.root).decode()
        if entry.type != CheckpointSigned.type or (said["size"], said["root"]) != repeated:
            raise InvalidSignature("the event says something else than its note")
        yield SignedCheckpoint(checkpoint, said["note"], name, f"{CHECKPOINTS}#{entry.sequence}")
    except (InvalidSignature, NoTrustedSignature, BadNote) as error:
        on_breach(_forged(entry, str(error)))
    except (ValueError, TypeError, KeyError, AttributeError):
        on_breach(_forged(entry, "it is not an event that credits writes"))


def _forged(entry: StoredMessage, message: str) -> Breach:
    kind = BreachKind.CHECKPOINT_FORGED
    return Breach(kind, f"checkpoint not accepted: {message}", CHECKPOINTS, entry.sequence)
