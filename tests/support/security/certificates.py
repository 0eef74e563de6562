"""Certificates of a certificate authority that exists for one test: X.509 with Ed25519 keys (RFC 5280, RFC 8410)."""

import hashlib
import ipaddress
from base64 import encodebytes
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nacl.signing import SigningKey

__all__ = ["Authority"]

_SEQUENCE, _SET, _INTEGER, _BITS, _BYTES, _NAME, _TEXT, _TIME = 0x30, 0x31, 2, 3, 4, 6, 12, 24
_ED25519 = bytes.fromhex("300506032b6570")
_KEY_HEAD = bytes.fromhex("302e020100300506032b657004220420")
_COMMON_NAME = bytes.fromhex("550403")
_SUBJECT_KEY, _KEY_USAGE, _OTHER_NAMES, _CONSTRAINTS, _AUTHORITY_KEY, _PURPOSE = (
    bytes.fromhex(f"551d{number:02x}") for number in (14, 15, 17, 19, 35, 37)
)
_FOR_SERVERS = bytes.fromhex("2b06010505070301")
_FOR_CLIENTS = bytes.fromhex("2b06010505070302")
_TRUE = b"\x01\x01\xff"


@dataclass(frozen=True)
class Authority:
    """Issues certificates for this machine; `certificate` is what trusts them."""

    folder: Path
    name: str = "an authority of the tests"
    key: SigningKey = field(default_factory=SigningKey.generate, repr=False)

    @property
    def certificate(self) -> Path:
        """A file with the authority's own certificate."""
        extensions = [
            _extension(_CONSTRAINTS, _der(_SEQUENCE, _TRUE), critical=True),
            _extension(_KEY_USAGE, b"\x03\x02\x01\x06", critical=True),  # signs certificates and revocations
            _extension(_SUBJECT_KEY, _der(_BYTES, _key_id(self.key))),
        ]
        return _write_pem(
            self.folder / "ca.pem", "CERTIFICATE", self._signed(self.name, self.key, extensions)
        )

    def issue(self, name: str) -> tuple[Path, Path]:
        """Files with a certificate for `localhost` and 127.0.0.1, for servers and clients, and its key."""
        key = SigningKey.generate()
        address = ipaddress.ip_address("127.0.0.1").packed
        extensions = [
            _extension(_CONSTRAINTS, _der(_SEQUENCE), critical=True),
            _extension(_KEY_USAGE, b"\x03\x02\x07\x80", critical=True),  # signs in a handshake
            _extension(_PURPOSE, _der(_SEQUENCE, _der(_NAME, _FOR_SERVERS), _der(_NAME, _FOR_CLIENTS))),
            _extension(_OTHER_NAMES, _der(_SEQUENCE, _der(0x82, b"localhost"), _der(0x87, address))),
            _extension(_SUBJECT_KEY, _der(_BYTES, _key_id(key))),
            _extension(_AUTHORITY_KEY, _der(_SEQUENCE, _der(0x80, _key_id(self.key)))),
        ]
        certificate = self._signed(name, key, extensions)
        return (
            _write_pem(self.folder / f"{name}.pem", "CERTIFICATE", certificate),
            _write_pem(self.folder / f"{name}.key", "PRIVATE KEY", _KEY_HEAD + bytes(key)),
        )

    def _signed(self, subject: str, key: SigningKey, extensions: list[bytes]) -> bytes:
        now = datetime.now(UTC)
        times = [f"{now + timedelta(days=days):%Y%m%d%H%M%S}Z".encode() for days in (-1, 1)]
        stated = _der(
            _SEQUENCE,
            _der(0xA0, b"\x02\x01\x02"),  # version 3
            _der(_INTEGER, b"\x01" + _key_id(key)[:8]),
            _ED25519,
            _distinguished_name(self.name),
            _der(_SEQUENCE, *(_der(_TIME, time) for time in times)),
            _distinguished_name(subject),
            _der(_SEQUENCE, _ED25519, _der(_BITS, b"\x00", bytes(key.verify_key))),
            _der(0xA3, _der(_SEQUENCE, *extensions)),
        )
        return _der(_SEQUENCE, stated, _ED25519, _der(_BITS, b"\x00", self.key.sign(stated).signature))


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _distinguished_name(name: str) -> bytes:
    return _der(_SEQUENCE, _der(_SET, _der(_SEQUENCE, _der(_NAME, _COMMON_NAME), _der(_TEXT, name.encode()))))


def _extension(kind: bytes, value: bytes, *, critical: bool = False) -> bytes:
    return _der(_SEQUENCE, _der(_NAME, kind), _TRUE if critical else b"", _der(_BYTES, value))


def _key_id(key: SigningKey) -> bytes:
    return hashlib.sha256(bytes(key.verify_key)).digest()[:20]


def _write_pem(file: Path, kind: str, content: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(
        b"-----BEGIN %b-----\n%b-----END %b-----\n" % (kind.encode(), encodebytes(content), kind.encode())
    )
    return file
