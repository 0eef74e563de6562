"""Proofs that an entry is in the ledger, in C2SP form (https://c2sp.org/tlog-proof), checked with a public key alone.

The extra data of a proof is the entry itself, in the bytes that its leaf is the hash of: a proof is complete.
"""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from telecine_auditor.errors import InvalidSignature, MalformedProof, ProofMismatch
from telecine_contracts.signed_note import BadNote, Checkpoint, VerifierKey
from telecine_contracts.transparency import leaf_hash

from .inclusion import root_from_proof
from .signatures import verify_note

__all__ = ["Proof", "ProvenEntry", "verify_proof"]

_FIRST_LINE = "c2sp.org/tlog-proof@v1"
_MOST_HASHES = 63
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Proof:
    """Leaf number `index` (from 0) is in the tree that `note` signs; `hashes` lead from it to the root.

    `entry` is what the leaf is the hash of; None in a proof that others made without it.
    """

    index: int
    hashes: tuple[bytes, ...]
    note: str
    entry: bytes | None

    def __str__(self) -> str:
        extra = [] if self.entry is None else [f"extra {base64.b64encode(self.entry).decode()}"]
        hashes = (base64.b64encode(hash).decode() for hash in self.hashes)
        return "\n".join([_FIRST_LINE, *extra, f"index {self.index}", *hashes, "", self.note])

    @classmethod
    def of(cls, text: str) -> "Proof":
        """Read the text form. Raises MalformedProof."""
        head, blank, note = text.partition("\n\n")
        first, *lines = head.split("\n")
        if first != _FIRST_LINE or not blank:
            raise MalformedProof(
                f"a proof begins with the line {_FIRST_LINE} and has a checkpoint after a blank line"
            )
        entry = None
        if lines and lines[0].startswith("extra "):
            entry = _decoded(lines.pop(0).removeprefix("extra "))
        index = re.fullmatch(r"index (0|[1-9][0-9]{0,18})", lines.pop(0)) if lines else None
        if index is None:
            raise MalformedProof("a proof says the entry's index, from 0")
        hashes = tuple(map(_decoded, lines))
        if len(hashes) > _MOST_HASHES or any(len(hash) != _HASH_BYTES for hash in hashes):
            raise MalformedProof("the hashes of a proof are of 32 bytes each, and not more than 63")
        return cls(int(index[1]), hashes, note, entry)


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    """An entry that the proof shows to be in the ledger. `signed_by` is empty if no key was given."""

    sequence: int
    subject: str
    head: bytes
    body: bytes
    checkpoint: Checkpoint
    signed_by: str


def verify_proof(proof: Proof, keys: Sequence[VerifierKey]) -> ProvenEntry:
    """Verify a proof offline.

    Raises ProofMismatch when it proves nothing, MalformedProof when it is incomplete, and NoTrustedSignature when none
    of the keys signed its checkpoint.
    """
    try:
        checkpoint, name = verify_note(proof.note, keys)
    except BadNote as error:
        raise MalformedProof(f"the proof has no valid checkpoint: {error}") from None
    except InvalidSignature as error:
        raise ProofMismatch(str(error)) from None
    if proof.entry is None:
        raise MalformedProof("the entry itself is not in the proof, and without it there is nothing to prove")
    root = root_from_proof(leaf_hash(proof.entry), proof.index, checkpoint.size, proof.hashes)
    if root != checkpoint.root:
        raise ProofMismatch(
            f"this entry is not number {proof.index + 1} of the {checkpoint.size} that were signed"
        )
    head, _, body = proof.entry.partition(b"\r\n\r\n")
    subject, _, lines = head.partition(b"\r\n")
    lines = lines + b"\r\n" if lines else lines
    return ProvenEntry(proof.index + 1, subject.decode("utf-8", "replace"), lines, body, checkpoint, name)


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise MalformedProof("a line of the proof is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise MalformedProof("a line of the proof is not base64 as it is written")
    return data
