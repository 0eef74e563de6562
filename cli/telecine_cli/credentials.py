"""Who may come to the NATS server: an nkey for each identity, and the server's page of what each may do.

Every identity has a NATS account of its own, and the streams have one that nobody can log in to. A client names the
subject that an answer goes to; within one account that could be another service's event. Between accounts the server
puts a subject of its own in its place, so that nothing gets into a stream but what `Rights` names.
"""

import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telecine_cli.failure import Failure
from telecine_contracts.permissions import IDENTITIES, Rights, rights, subscriber
from telecine_contracts.subjects import BadToken

__all__ = ["STREAMS_ACCOUNT", "USERS_FILE", "Made", "make_credentials", "seed_file", "users_page"]

USERS_FILE = "nats-users.conf"
STREAMS_ACCOUNT = "TELECINE"
"""The NATS account that holds the streams. It has no users."""
_SUFFIX = ".nk"
_HEAD = """\
# Who may come to this server, and what each may do. Public keys only.
# Written by `telecine provision --credentials`: change nothing here. To be included by the server's configuration.

"""


@dataclass(frozen=True, slots=True)
class Made:
    """What was done: identity → "made", "kept" or "replaced"; and the page for the server's configuration."""

    identities: Mapping[str, str]
    page: Path


def seed_file(folder: Path, identity: str) -> Path:
    """Where the seed of an identity is kept."""
    return folder / f"{identity}{_SUFFIX}"


def make_credentials(folder: Path, *, subscribers: Sequence[str] = (), rotate: Sequence[str] = ()) -> Made:
    """Make a seed for every identity that has none yet, new ones for those in `rotate`, and write the users' page.

    `subscribers` get one too, and keep it: other teams' programs are known by their files. Raises Failure.
    """
    names = [*IDENTITIES, *sorted({*_kept(folder), *subscribers} - {*IDENTITIES})]
    for name in rotate:
        if name not in names:
            raise Failure(f"there is no identity {name} to make a new seed for; there are {', '.join(names)}")
    granted = {name: _rights(name) for name in names}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = {name: _make(seed_file(folder, name), replace=name in rotate) for name in names}
        keys = {name: public_key(seed_file(folder, name)) for name in names}
        page = folder / USERS_FILE
        _write(page, users_page(granted, keys), mode=0o644)
    except OSError as error:
        raise Failure(f"can't keep credentials in {folder}: {error.strerror or error}") from error
    return Made(done, page)


def public_key(file: Path) -> str:
    """The public key that belongs to the seed in `file`. Raises Failure when there is none in it."""
    import nkeys  # type: ignore[import-untyped]

    try:
        pair = nkeys.from_seed(bytearray(file.read_bytes().strip()))
        return str(pair.public_key.decode())
    except (nkeys.NkeysError, ValueError) as error:
        raise Failure(
            f"{file} holds no nkey seed (one line that begins with SU): remove it, then a new one is made"
        ) from error


def users_page(granted: Mapping[str, Rights], keys: Mapping[str, str]) -> str:
    """The part of a NATS server's configuration that says who may do what, by identity."""
    everyone = list(granted.values())
    accounts = {STREAMS_ACCOUNT: {"jetstream": "enabled", "exports": _exports(everyone)}}
    for name, one in granted.items():
        accounts[_account(name)] = {
            "users": [{"nkey": keys[name], "permissions": _permissions(one)}],
            "imports": _imports(one, everyone),
            "exports": [
                {"service": subject, "accounts": _accounts(everyone, "commands", subject)}
                for subject in one.serves
            ],
        }
    return f"{_HEAD}accounts: {json.dumps(accounts, indent=2)}\n"


def _permissions(one: Rights) -> dict[str, Any]:
    # Answers to requests go to subjects that only the server knows.
    answers = {"allow_responses": {"max": 1, "expires": "1m"}} if one.serves else {}
    return {"publish": list(one.publish), "subscribe": list(one.subscribe), **answers}


def _exports(everyone: Iterable[Rights]) -> list[dict[str, Any]]:
    everyone = list(everyone)
    once = [
        (field, {"response_type": answers}) for field, answers in (("tells", "singleton"), ("asks", "stream"))
    ]
    services = [
        {"service": subject, "accounts": _accounts(everyone, field, subject)} | answers
        for field, answers in once
        for subject in _all(everyone, field)
    ]
    heard = [
        {"stream": subject, "accounts": _accounts(everyone, "hears", subject)}
        for subject in _all(everyone, "hears")
    ]
    return services + heard


def _imports(one: Rights, everyone: Iterable[Rights]) -> list[dict[str, Any]]:
    serving = {subject: _account(each.identity) for each in everyone for subject in each.serves}
    asked = [(subject, STREAMS_ACCOUNT) for subject in (*one.tells, *one.asks)]
    asked += [(subject, serving[subject]) for subject in one.commands]
    services = [{"service": {"account": account, "subject": subject}} for subject, account in asked]
    return services + [{"stream": {"account": STREAMS_ACCOUNT, "subject": subject}} for subject in one.hears]


def _all(everyone: Iterable[Rights], field: str) -> Iterable[str]:
    return dict.fromkeys(subject for one in everyone for subject in getattr(one, field))


def _accounts(everyone: Iterable[Rights], field: str, subject: str) -> list[str]:
    return [_account(one.identity) for one in everyone if subject in getattr(one, field)]


def _account(identity: str) -> str:
    return f"{STREAMS_ACCOUNT}_{identity}"


def _rights(name: str) -> Rights:
    if name in IDENTITIES:
        return rights(name)
    try:
        return subscriber(name)
    except (BadToken, ValueError) as error:
        raise Failure(str(error)) from error


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
    """All of it, on disk, or nothing; a file that is the same stays as it is."""
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
