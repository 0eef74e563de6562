"""Verifies signed notes with trusted keys: Ed25519 by PyNaCl, a dependency of nats-py[nkeys]."""

from collections.abc import Sequence

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from telecine_auditor.errors import InvalidSignature, NoTrustedSignature
from telecine_contracts.signed_note import Checkpoint, Note, Signature, VerifierKey

__all__ = ["verify_note"]


def verify_note(note: str, keys: Sequence[VerifierKey]) -> tuple[Checkpoint, str]:
    """The checkpoint that a note is, and the name of the key that signed it.

    Without keys it is taken at its word, and the name is empty. Raises Forged, Unsigned, or BadNote for what is no
    checkpoint at all.
    """
    parts = Note.of(note)
    checkpoint = Checkpoint.of(parts.text)
    if not keys:
        return checkpoint, ""
    signers = [key for key in keys for signature in parts.signatures if _by(key, signature)]
    for key in signers:
        for signature in parts.signatures:
            if _by(key, signature) and not _holds(key, signature, parts.text):
                raise InvalidSignature(f"the signature of {key.name} is invalid")
        if checkpoint.origin != key.name:
            raise InvalidSignature(f"{key.name} signed a checkpoint of another log, {checkpoint.origin!r}")
    if not signers:
        names = ", ".join(f"{line.name}+{line.key_id.hex()}" for line in parts.signatures)
        raise NoTrustedSignature(f"not signed by a trusted key, but by {names}")
    return checkpoint, signers[0].name


def _by(key: VerifierKey, signature: Signature) -> bool:
    return (signature.name, signature.key_id) == (key.name, key.id)


def _holds(key: VerifierKey, signature: Signature, text: str) -> bool:
    try:
        VerifyKey(key.public).verify(text.encode(), signature.signature)
    except (BadSignatureError, ValueError):
        return False
    return True
