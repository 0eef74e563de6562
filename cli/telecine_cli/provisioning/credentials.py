"""NATS credentials: an nkey for each identity, and the server's configuration file with the permissions of each.

Every identity has its own NATS account, and the streams belong to an account without users. Reason: a client chooses
the reply subject of its request, and within one account it could choose the subject of another service's event. Between
accounts the server replaces the reply subject, so that only what `Rights` names gets into a stream.

Accounts of subscribers are numbered and exist before they are needed (ADR 29): nats-server sets up the imports of an
account that was added by a reload only at the next reload; until then its users get 503 for every request.
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from telecine_cli.errors import CommandError
from telecine_contracts.permissions import IDENTITIES, Rights, rights, subscriber
from telecine_contracts.subjects import BadToken

__all__ = [
    "STREAMS_ACCOUNT",
    "USERS_FILE",
    "CredentialsResult",
    "make_credentials",
    "remove_subscriber",
    "seed_file",
    "subscriber_names",
    "users_page",
]

USERS_FILE = "users/nats-users.conf"
"""In its own folder, which can be mounted into a container: a single mounted file would stay at its first version."""
ACCOUNTS_FILE = "subscriber-accounts.json"
"""The number of each subscriber's account. Numbers never change, so that a reload does not disconnect a subscriber."""
SPARE_ACCOUNTS = 8
"""The number of subscribers that can be added between two reloads of the server."""
STREAMS_ACCOUNT = "TELECINE"
"""The NATS account that holds the streams. It has no users."""
_SYSTEM_ACCOUNT = "$SYS"
"""The servers' system account. A reload could not rename it."""
_SUFFIX = ".nk"
_HEAD = """\
# Who may connect to this server, and what each may do. Public keys only.
# Written by `telecine provision --credentials`, do not edit. The server's configuration includes this file.

"""


@dataclass(frozen=True, slots=True)
class CredentialsResult:
    """The action for each identity ("made", "kept" or "replaced"), and the file for the server's configuration."""

    identities: Mapping[str, str]
    page: Path


def seed_file(folder: Path, identity: str) -> Path:
    """The file with the seed of an identity."""
    return folder / f"{identity}{_SUFFIX}"


def make_credentials(
    folder: Path, *, subscribers: Sequence[str] = (), rotate: Sequence[str] = ()
) -> CredentialsResult:
    """Create missing seeds, replace those in `rotate`, and write the server's configuration file.

    `subscribers`: names of further subscribers; one that has a seed file is included in every later call.

    Raises:
        CommandError: an unknown identity, an invalid name, or the folder cannot be written.
    """
    names = [*IDENTITIES, *sorted({*subscriber_names(folder), *subscribers} - {*IDENTITIES})]
    for name in rotate:
        if name not in names:
            raise CommandError(f"unknown identity {name}, expected one of {', '.join(names)}")
    granted = {name: _rights(name) for name in names}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = {name: _make(seed_file(folder, name), replace=name in rotate) for name in names}
        page = _write_page(folder, granted)
    except OSError as error:
        raise CommandError(f"cannot store credentials in {folder}: {error.strerror or error}") from error
    return CredentialsResult(done, page)


def remove_subscriber(folder: Path, name: str) -> bool:
    """Remove a subscriber's seed and permissions; returns whether it had a seed. Raises CommandError."""
    if name not in subscriber_names(folder):
        return False
    try:
        seed_file(folder, name).unlink()
    except OSError as error:
        raise CommandError(f"cannot remove {seed_file(folder, name)}: {error.strerror or error}") from error
    make_credentials(folder)
    return True


def subscriber_names(folder: Path) -> list[str]:
    """The subscribers that have a seed in `folder`, sorted."""
    return sorted({*_kept(folder)} - {*IDENTITIES})


def public_key(file: Path) -> str:
    """The public key of the seed in `file`.

    Raises:
        CommandError: the file contains no seed.
    """
    import nkeys  # type: ignore[import-untyped]

    try:
        pair = nkeys.from_seed(bytearray(file.read_bytes().strip()))
        return str(pair.public_key.decode())
    except (nkeys.NkeysError, ValueError) as error:
        raise CommandError(
            f"{file} contains no nkey seed (one line that begins with SU): remove the file to have a new one created"
        ) from error


def users_page(granted: Mapping[str, Rights], keys: Mapping[str, str], numbers: Mapping[str, int]) -> str:
    """The accounts, users and permissions of a NATS server's configuration.

    `numbers`: the numbers of the subscribers' accounts.
    """
    every = _Identities({_account(name, numbers): one for name, one in granted.items()})
    accounts: dict[str, Any] = {STREAMS_ACCOUNT: {"jetstream": "enabled", "exports": every.exports()}}
    for name, one in granted.items():
        accounts[_account(name, numbers)] = {
            "users": [{"nkey": keys[name], "permissions": _permissions(one)}],
            "imports": every.imports(one),
            "exports": [
                {"service": subject, "accounts": every.accounts("commands", subject)}
                for subject in one.serves
            ],
        }
    # It has no users. It exports the few requests that services may send to the servers themselves.
    accounts[_SYSTEM_ACCOUNT] = {"exports": every.server_exports()}
    for number in range(1, max(numbers.values(), default=0) + SPARE_ACCOUNTS + 1):
        accounts.setdefault(_numbered(number), {})
    return f"{_HEAD}accounts: {json.dumps(accounts, indent=2)}\n"


def _write_page(folder: Path, granted: Mapping[str, Rights]) -> Path:
    keys = {name: public_key(seed_file(folder, name)) for name in granted}
    numbers = _numbers(folder, [name for name in granted if name not in IDENTITIES])
    page = folder / USERS_FILE
    page.parent.mkdir(exist_ok=True)
    page.parent.chmod(0o755)
    _write(folder / ACCOUNTS_FILE, f"{json.dumps(numbers, indent=2)}\n", mode=0o644)
    _write(page, users_page(granted, keys, numbers), mode=0o644)
    return page


def _numbers(folder: Path, names: Sequence[str]) -> dict[str, int]:
    """The assigned account numbers, and the lowest free ones for new subscribers."""
    file = folder / ACCOUNTS_FILE
    try:
        kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        numbers = {name: int(kept[name]) for name in names if name in kept}
    except (ValueError, TypeError) as error:
        raise CommandError(
            f"{file} does not contain account numbers: remove it to have it created again"
        ) from error
    free = (number for number in count(1) if number not in numbers.values())
    for name in names:
        if name not in numbers:
            numbers[name] = next(free)
    return numbers


def _permissions(one: Rights) -> dict[str, Any]:
    # Replies go to subjects that only the server knows, so they cannot be listed.
    answers = {"allow_responses": {"max": 1, "expires": "1m"}} if one.serves else {}
    return {"publish": list(one.publish), "subscribe": list(one.subscribe), **answers}


@dataclass(frozen=True, slots=True)
class _Identities:
    """The rights of every identity, by the name of its NATS account."""

    granted: Mapping[str, Rights]

    def exports(self) -> list[dict[str, Any]]:
        """The exports of the account with the streams, and the accounts that may import them."""
        once = [
            (field, {"response_type": answers})
            for field, answers in (("tells", "singleton"), ("asks", "stream"))
        ]
        services = [
            {"service": subject, "accounts": self.accounts(field, subject)} | answers
            for field, answers in once
            for subject in self._all(field)
        ]
        heard = [
            {"stream": subject, "accounts": self.accounts("hears", subject)} for subject in self._all("hears")
        ]
        return services + heard

    def server_exports(self) -> list[dict[str, Any]]:
        """The exports of the system account. Several servers reply, hence the streams of replies."""
        return [
            {"service": subject, "accounts": self.accounts("server", subject), "response_type": "stream"}
            for subject in self._all("server")
        ]

    def imports(self, one: Rights) -> list[dict[str, Any]]:
        """The imports of one identity's account."""
        serving = {subject: account for account, each in self.granted.items() for subject in each.serves}
        asked = [(subject, STREAMS_ACCOUNT) for subject in (*one.tells, *one.asks)]
        asked += [(subject, serving[subject]) for subject in one.commands]
        asked += [(subject, _SYSTEM_ACCOUNT) for subject in one.server]
        services = [{"service": {"account": account, "subject": subject}} for subject, account in asked]
        return services + [
            {"stream": {"account": STREAMS_ACCOUNT, "subject": subject}} for subject in one.hears
        ]

    def accounts(self, field: str, subject: str) -> list[str]:
        """The accounts with `subject` in this field of their rights."""
        return [account for account, one in self.granted.items() if subject in getattr(one, field)]

    def _all(self, field: str) -> Iterable[str]:
        return dict.fromkeys(subject for one in self.granted.values() for subject in getattr(one, field))


def _account(identity: str, numbers: Mapping[str, int]) -> str:
    number = numbers.get(identity)
    return f"{STREAMS_ACCOUNT}_{identity}" if number is None else _numbered(number)


def _numbered(number: int) -> str:
    return f"{STREAMS_ACCOUNT}_subscriber_{number}"


def _rights(name: str) -> Rights:
    if name in IDENTITIES:
        return rights(name)
    try:
        return subscriber(name)
    except (BadToken, ValueError) as error:
        raise CommandError(str(error)) from error


def _kept(folder: Path) -> Iterable[str]:
    return (file.stem for file in folder.glob(f"*{_SUFFIX}"))


def _make(file: Path, *, replace: bool) -> str:
    there = file.exists()
    if there and not replace:
        return "kept"
    import nkeys

    seed = nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER)
    _write(file, f"{seed.decode()}\n", mode=0o600)
    return "replaced" if there else "made"


def _write(file: Path, text: str, *, mode: int) -> None:
    """Write a file atomically and synced to disk; an identical file is left alone."""
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), mode)  # independent of the umask: the server's user reads the file
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
