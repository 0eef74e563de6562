"""The secrets of an installation, one file each, for `TELECINE_…_FILE` variables and container secrets."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from telecine_cli.errors import CommandError
from telecine_cli.stack.config import SECRETS, SERVICES
from telecine_cli.stack.state import random_secret
from telecine_contracts.permissions import IDENTITIES
from telecine_credits.checkpoints.key import BadKey, Signer

from .credentials import make_credentials, seed_file

__all__ = ["SecretsResult", "make_secrets"]

NATS_FOLDER = "nats"
_READABLE = 0o644
PUBLIC_KEY = "checkpoint_key.pub"
_MAKERS: Mapping[str, Callable[[], str]] = {
    "postgres_password": random_secret,
    **{f"{service}_database_password": random_secret for service in SERVICES},
    "s3_secret_key": SECRETS["s3"],
    "provider_api_key": SECRETS["provider"],
    "content_secret": SECRETS["content"],
    "callback_secret": SECRETS["callback"],
    "checkpoint_key": SECRETS["checkpoint"],
}


@dataclass(frozen=True, slots=True)
class SecretsResult:
    """The action for each secret and for each NATS identity: "made" or "kept"."""

    secrets: Mapping[str, str]
    identities: Mapping[str, str]


def make_secrets(folder: Path) -> SecretsResult:
    """Create every missing secret and NATS identity; existing ones are kept.

    Only the folder's owner can enter it, but its files are readable by all: a container runs as another user and
    sees only the files that are mounted into it.

    Raises:
        CommandError: the folder cannot be written, or a checkpoint key is invalid.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        done = {name: _make(folder / name, make) for name, make in _MAKERS.items()}
        signer = Signer.of((folder / "checkpoint_key").read_text(encoding="utf-8"))
        _publish(folder / PUBLIC_KEY, f"{signer.verifier}\n")
        identities = make_credentials(folder / NATS_FOLDER).identities
        for name in IDENTITIES:
            seed_file(folder / NATS_FOLDER, name).chmod(0o644)
        (folder / NATS_FOLDER).chmod(0o755)
    except OSError as error:
        raise CommandError(f"cannot store secrets in {folder}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise CommandError(
            f"{folder}: the file of a checkpoint key is not text: restore it from the backup"
        ) from None
    except BadKey as error:
        raise CommandError(f"{folder / 'checkpoint_key'}: {error}") from None
    return SecretsResult(done, identities)


def _publish(file: Path, key: str) -> None:
    """Write the public key in front of earlier ones: what those have signed must stay verifiable."""
    known = file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []
    file.write_text("".join([key, *(line for line in known if line != key)]), encoding="utf-8")
    file.chmod(_READABLE)


def _make(file: Path, make: Callable[[], str]) -> str:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _READABLE)
    except FileExistsError:
        return "kept"
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        os.fchmod(descriptor, _READABLE)  # independent of the umask: a container's user reads it
        out.write(f"{make()}\n")
        out.flush()
        os.fsync(out.fileno())
    return "made"
