"""Whether a signed note was signed by a key that is trusted: Ed25519, by PyNaCl (which comes with nats-py[nkeys])."""

from collections.abc import Sequence

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from telecine_contracts.signed_note import Checkpoint, Note, Signature, VerifierKey

__all__ = ["InvalidSignature", "NoTrustedSignature", "verify_note"]


class InvalidSignature(Exception):
    """A signature that a trusted key is said to have made does not hold, or the text is no checkpoint of its log."""


class NoTrustedSignature(Exception):
    """No key that is trusted signed it; whoever did may be right. Says who did."""


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
                raise InvalidSignature(f"the signature in the name of {key.name} does not hold")
        if checkpoint.origin != key.name:
            raise InvalidSignature(f"{key.name} signed a checkpoint of another log, {checkpoint.origin!r}")
    if not signers:
        names = ", ".join(f"{line.name}+{line.key_id.hex()}" for line in parts.signatures)
        raise NoTrustedSignature(f"no key that is trusted signed it, but {names}")
    return checkpoint, signers[0].name


def _by(key: VerifierKey, signature: Signature) -> bool:
    return (signature.name, signature.key_id) == (key.name, key.id)


def _holds(key: VerifierKey, signature: Signature, text: str) -> bool:
    try:
        VerifyKey(key.public).verify(text.encode(), signature.signature)
    except (BadSignatureError, ValueError):
        return False
    return True
