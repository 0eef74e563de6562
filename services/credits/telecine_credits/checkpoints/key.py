"""Signing key of checkpoints, in the text form of Go's sumdb/note."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telecine_contracts.signed_note import ED25519, BadNote, Checkpoint, Note, Signature, VerifierKey

if TYPE_CHECKING:
    from nacl.signing import SigningKey

__all__ = ["BadKey", "Signer"]

_MARK = "PRIVATE+KEY+"
_FORM = "a signing key is PRIVATE+KEY+<name>+<key id>+<base64>, one line"


class BadKey(ValueError):
    """A text that is not a signing key. The message never contains the text."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An Ed25519 key and its name, which is the origin of the log that it signs."""

    verifier: VerifierKey
    _key: SigningKey = field(repr=False)

    @classmethod
    def new(cls, name: str) -> Signer:
        """A newly generated key. Raises BadKey for an invalid name."""
        from nacl.signing import (
            SigningKey,  # imported only when a key is needed: the command line starts faster
        )

        return cls._named(name, SigningKey.generate())

    @classmethod
    def of(cls, text: str) -> Signer:
        """Read the text form. Raises BadKey."""
        from nacl.signing import SigningKey

        text = text.strip()
        if not text.startswith(_MARK):
            raise BadKey(_FORM)
        name, _, rest = text.removeprefix(_MARK).partition("+")
        claimed, _, encoded = rest.partition("+")
        signer = cls._named(name, SigningKey(_seed(encoded)))
        if signer.verifier.id.hex() != claimed:
            raise BadKey("the id of the signing key does not match the key: a part of it was changed")
        return signer

    @classmethod
    def _named(cls, name: str, key: SigningKey) -> Signer:
        try:
            return cls(VerifierKey(name, bytes(key.verify_key)), key)
        except BadNote as error:
            raise BadKey(str(error)) from None

    @property
    def name(self) -> str:
        """The origin of the checkpoints that this key signs."""
        return self.verifier.name

    def secret_text(self) -> str:
        """The text form. Secret: it allows signing in the log's name."""
        encoded = base64.b64encode(ED25519 + bytes(self._key)).decode()
        return f"{_MARK}{self.name}+{self.verifier.id.hex()}+{encoded}"

    def sign(self, checkpoint: Checkpoint) -> Note:
        """The checkpoint as a signed note. The same checkpoint always gives the same note.

        Raises BadKey for a checkpoint of another origin.
        """
        if checkpoint.origin != self.name:
            raise BadKey(f"this key signs checkpoints of {self.name}, not of {checkpoint.origin}")
        signature = self._key.sign(checkpoint.text.encode()).signature
        return Note(checkpoint.text, (Signature(self.name, self.verifier.id, signature),))


def _seed(encoded: str) -> bytes:
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise BadKey(_FORM) from None
    if not data:
        raise BadKey(_FORM)
    if data[:1] != ED25519:
        raise BadKey("the signing key is not an Ed25519 key")
    if len(data) != len(ED25519) + 32:
        raise BadKey("an Ed25519 signing key has a seed of 32 bytes: a part of it is missing")
    return data[len(ED25519) :]
