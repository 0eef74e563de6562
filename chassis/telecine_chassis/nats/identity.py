"""Who comes to the NATS server, and how it is known to be the right one."""

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from faststream.nats.security import NatsNKey, NatsSecurity

__all__ = ["ANONYMOUS", "NatsIdentity", "validate_seed_file"]


@dataclass(frozen=True, kw_only=True)
class NatsIdentity:
    """`nkey_seed`: the file with the identity's seed; None comes as nobody.

    `tls_ca`: certificates that the server's must be from; with `tls_cert` (and `tls_key`) the client has one, too. With
    any of them the connection is TLS from its first byte on (`handshake_first` in the server's tls block): neither the
    server nor somebody between can talk the client out of it.
    """

    nkey_seed: Path | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def check_tls(self) -> None:
        """Raise ValueError for files that can't be read or do not hold what they should."""
        if self.tls_key is not None and self.tls_cert is None:
            raise ValueError(
                "TELECINE_NATS_TLS_KEY needs TELECINE_NATS_TLS_CERT, the certificate it belongs to"
            )
        try:
            _ = self.tls
        except OSError as error:  # also what is wrong with a certificate
            files = ", ".join(str(file) for file in (self.tls_ca, self.tls_cert, self.tls_key) if file)
            raise ValueError(f"the certificates for NATS can't be used ({files}): {error}") from error

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """What TLS connections are made with; None for connections without. Raises OSError (also ssl.SSLError)."""
        if not (self.tls_ca or self.tls_cert):
            return None
        context = ssl.create_default_context(cafile=self.tls_ca)
        if self.tls_cert is not None:
            context.load_cert_chain(self.tls_cert, self.tls_key)
        return context

    def client_options(self) -> dict[str, Any]:
        """Options for nats-py's `connect`."""
        shown: dict[str, Any] = {"nkeys_seed": str(self.nkey_seed)} if self.nkey_seed else {}
        return shown | ({"tls": self.tls, "tls_handshake_first": True} if self.tls else {})

    def broker_security(self) -> NatsSecurity | None:
        """The same for FastStream's broker."""
        tls: dict[str, Any] = {"ssl_context": self.tls, "tls_handshake_first": True} if self.tls else {}
        if self.nkey_seed is not None:
            return NatsNKey.from_file(self.nkey_seed, **tls)
        return NatsSecurity(**tls) if tls else None


ANONYMOUS = NatsIdentity()


def validate_seed_file(file: Path) -> None:
    """Raise ValueError when there is no nkey seed in `file`."""
    import nkeys  # type: ignore[import-untyped]

    try:
        nkeys.from_seed(bytearray(file.read_bytes().strip())).wipe()
    except OSError as error:
        raise ValueError(f"{file} can't be read ({error.strerror})") from None
    except (nkeys.NkeysError, ValueError):
        raise ValueError(f"{file} holds no nkey seed, one line that begins with SU") from None
