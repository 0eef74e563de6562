"""What a data folder remembers of its stack (ports, secrets), and the lock that keeps it to one stack."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from telecine_cli.ports import keep_or_choose

__all__ = ["AlreadyRunning", "StackState", "lock", "remember"]

_SECRET_BYTES = 32


class AlreadyRunning(Exception):
    """Another stack uses the data folder."""


@dataclass(frozen=True)
class StackState:
    """Ports and secrets by name. They never change while a stack runs."""

    ports: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def remember(data: Path, ports: Iterable[str], secret_names: Iterable[str]) -> StackState:
    """The state kept in `data`/stack.json (mode 0600), with what is missing chosen and kept.

    A port that another process has taken in the meantime is replaced.
    """
    file = data / "stack.json"
    known = _read(file)
    state = StackState(
        ports=keep_or_choose(known.ports, ports),
        secrets={name: secrets.token_urlsafe(_SECRET_BYTES) for name in secret_names} | known.secrets,
    )
    if state != known:
        _write(file, state)
    return state


def _read(file: Path) -> StackState:
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return StackState()
    return StackState(kept["ports"], kept["secrets"])


def _write(file: Path, state: StackState) -> None:
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump({"ports": state.ports, "secrets": state.secrets}, out, indent=2)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)


@contextmanager
def lock(data: Path) -> Iterator[None]:
    """Make `data` if need be (readable by its owner only) and keep every other stack out of it.

    The kernel lets go when we die, however that happens.

    Raises:
        AlreadyRunning: when another stack holds the folder.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data / "stack.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunning(
                f"a telecine stack (process {file.read().strip() or 'unknown'}) is already running on {data}: "
                "stop it first, or choose another folder with --data"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
