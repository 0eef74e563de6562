"""The identity with which a client connects to NATS: nkey, JWT or password, and TLS."""

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

__all__ = ["ANONYMOUS", "NatsIdentity", "read_secret", "validate_seed_file"]


@dataclass(frozen=True, kw_only=True)
class NatsIdentity:
    """Files with a client's credentials; without any of them it connects anonymously.

    `nkey_seed` holds the identity's seed, `creds` a JWT with its seed, `password_file` the password of `user`.
    `tls_ca` holds the authorities that may have signed the server's certificate; `tls_cert` (and `tls_key`, where the
    key is in a file of its own) is the client's certificate.
    """

    nkey_seed: Path | None = None
    creds: Path | None = None
    user: str | None = None
    password_file: Path | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def validate(self) -> None:
        """Raise ValueError for files that can't be read or do not hold what they should."""
        if self.nkey_seed is not None:
            validate_seed_file(self.nkey_seed)
        for file in (self.creds, self.password_file):
            if file is not None:
                read_secret(file)
        self.validate_tls()

    def validate_tls(self) -> None:
        """The same for the files of TLS alone."""
        if self.tls_key is not None and self.tls_cert is None:
            raise ValueError(
                "TELECINE_NATS_TLS_KEY needs TELECINE_NATS_TLS_CERT, the certificate it belongs to"
            )
        try:
            _ = self.tls
        except OSError as error:  # ssl.SSLError is an OSError, too
            files = ", ".join(str(file) for file in (self.tls_ca, self.tls_cert, self.tls_key) if file)
            raise ValueError(f"the certificates for NATS can't be used ({files}): {error}") from error

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """The context of TLS connections; None for plain TCP. Raises OSError (also ssl.SSLError)."""
        if not (self.tls_ca or self.tls_cert):
            return None
        context = ssl.create_default_context(cafile=self.tls_ca)
        if self.tls_cert is not None:
            context.load_cert_chain(self.tls_cert, self.tls_key)
        return context

    def client_options(self) -> dict[str, Any]:
        """Options for nats-py's `connect`. Raises ValueError for a password that can't be read."""
        options: dict[str, Any] = {}
        if self.nkey_seed is not None:
            options["nkeys_seed"] = str(self.nkey_seed)
        if self.creds is not None:
            options["user_credentials"] = str(self.creds)
        if self.user is not None:
            options["user"] = self.user
        if self.password_file is not None:
            options["password"] = read_secret(self.password_file)
        if self.tls is not None:
            # From the first byte (`handshake_first` in the server's tls block): otherwise the server's plain text
            # greeting decides whether TLS is used, and a man in the middle can change it.
            options |= {"tls": self.tls, "tls_handshake_first": True}
        return options


ANONYMOUS = NatsIdentity()


def read_secret(file: Path) -> str:
    """The text of a file without the white space around it. Raises ValueError when it can't be read."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"{file} can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} can't be read (it is not UTF-8 text)") from None


def validate_seed_file(file: Path) -> None:
    """Raise ValueError when there is no nkey seed in `file`."""
    import nkeys  # type: ignore[import-untyped]

    seed = read_secret(file)
    try:
        nkeys.from_seed(bytearray(seed.encode())).wipe()
    except (nkeys.NkeysError, ValueError):
        raise ValueError(f"{file} holds no nkey seed, one line that begins with SU") from None
