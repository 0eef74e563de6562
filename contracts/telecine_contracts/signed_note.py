"""The text form of checkpoints: C2SP signed notes (https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint).

Format only: with a library for Ed25519, sign `Checkpoint.text` and verify the signatures of a `Note` over `Note.text`,
extension lines included.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from hashlib import sha256

ED25519 = b"\x01"
"""Signature type of Ed25519 keys (signed-note, "Signature types")."""
_DASH = "—"
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_ID_BYTES, _PUBLIC_BYTES = 4, 32
_MOST_SIGNATURES = 100
_MOST_LEAVES = 2**63 - 1


class BadNote(ValueError):
    """A text that is not a valid signed note, checkpoint or verifier key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The signed content: name of the log, number of leaves and root hash. Raises BadNote."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin or _CONTROL.search(self.origin):
            raise BadNote("the origin of a checkpoint is one line of text")
        if not 0 <= self.size <= _MOST_LEAVES:
            raise BadNote("the size of a checkpoint is a number of leaves, below 2^63")
        if len(self.root) != sha256().digest_size:
            raise BadNote("the root of a checkpoint is a SHA-256, 32 bytes")

    @property
    def text(self) -> str:
        """The signed text, with its last newline."""
        return f"{self.origin}\n{self.size}\n{_encode(self.root)}\n"

    @classmethod
    def of(cls, text: str) -> "Checkpoint":
        """Parse the text of a note; extension lines after the root are allowed and ignored. Raises BadNote."""
        *lines, end = text.split("\n")
        if len(lines) < 3 or end:
            raise BadNote("a checkpoint has three lines: origin, size, root")
        if not all(lines):
            raise BadNote("a checkpoint has no empty line")
        origin, size, root = lines[:3]
        if not re.fullmatch(r"0|[1-9][0-9]{0,18}", size):
            raise BadNote("the second line of a checkpoint is its size, a decimal number")
        return cls(origin, int(size), _decode(root, "the third line of a checkpoint is its root, base64"))


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public Ed25519 key with the name it signs under, as ``<name>+<key id>+<base64>``."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise BadNote("the name of a key is not empty and has no spaces and no plus signs")
        if len(self.public) != _PUBLIC_BYTES:
            raise BadNote("a public Ed25519 key has 32 bytes")

    @property
    def id(self) -> bytes:
        """Four bytes that distinguish keys of the same name."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_encode(ED25519 + self.public)}"

    @classmethod
    def of(cls, text: str) -> "VerifierKey":
        """Parse the text form. Raises BadNote."""
        if text.strip().startswith("PRIVATE+KEY+"):
            raise BadNote("this is a signing key, which is secret; expected its verifier key")
        name, _, rest = text.strip().partition("+")
        claimed, _, encoded = rest.partition("+")
        data = _decode(encoded, "a verifier key is <name>+<key id>+<base64>")
        if data[:1] != ED25519:
            raise BadNote("the verifier key is not an Ed25519 key")
        key = cls(name, data[1:])
        if key.id.hex() != claimed:
            raise BadNote("the id of the verifier key does not match the key: a part of it was changed")
        return key


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: name and id of the key, and the bytes of the signature."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH} {self.name} {_encode(self.key_id + self.signature)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures, which are not verified here."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(f"{signature}\n" for signature in self.signatures)

    @classmethod
    def of(cls, note: str) -> "Note":
        """Parse a note. Raises BadNote."""
        if _CONTROL.search(note):
            raise BadNote("a signed note has no control characters; its lines end with LF alone, not CR LF")
        try:
            note.encode()
        except UnicodeEncodeError:
            raise BadNote("a signed note is UTF-8 text") from None
        text, blank, below = note.rpartition("\n\n")
        if not blank or not below.endswith("\n"):
            raise BadNote("a signed note is a text, a blank line, and signature lines")
        lines = below[:-1].split("\n")
        if len(lines) > _MOST_SIGNATURES:
            raise BadNote(f"a signed note has at most {_MOST_SIGNATURES} signatures")
        return cls(text + "\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    data = _decode(encoded, "a signature line is a dash, a name and base64")
    if dash != _DASH or not _NAME.fullmatch(name) or len(data) <= _KEY_ID_BYTES:
        raise BadNote("a signature line is a dash, a name and base64")
    return Signature(name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str, otherwise: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote(otherwise) from None
    if not data or _encode(data) != text:
        raise BadNote(otherwise)
    return data
