"""What a data folder remembers of its stack (ports, secrets), and the lock that keeps it to one stack."""

import fcntl
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from telecine_cli.errors import AlreadyRunning, CommandError, InvalidStateFile

from .ports import allocate_ports
from .process import PRIVATE_UMASK

__all__ = [
    "StackState",
    "is_running",
    "load_or_create_state",
    "load_state",
    "lock",
    "make_private",
    "private_files",
    "random_secret",
    "read_private_json",
    "resolve_data_folder",
    "write_private_json",
]

_SECRET_BYTES = 32
T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class StackState:
    """Ports and secrets by name. They never change while a stack runs."""

    ports: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def random_secret() -> str:
    """A secret that nobody has seen before."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def load_or_create_state(
    data: Path, ports: Iterable[str], makers: Mapping[str, Callable[[], str]]
) -> StackState:
    """The state kept in `data`/stack.json (mode 0600), with what is missing chosen and kept.

    `makers`: what makes each secret, by its name. A port that another process has taken in the meantime is replaced.
    """
    file = data / "stack.json"
    known = load_state(data)
    state = StackState(
        ports=allocate_ports(known.ports, ports),
        secrets={name: make() for name, make in makers.items() if name not in known.secrets} | known.secrets,
    )
    if state != known:
        write_private_json(file, {"ports": state.ports, "secrets": state.secrets})
    return state


def load_state(data: Path) -> StackState:
    """The state kept in `data`/stack.json; an empty one where no stack has been. Raises Foreign."""
    kept = read_private_json(data / "stack.json", _StateFile)
    return StackState() if kept is None else StackState(kept.ports, kept.secrets)


class _StateFile(BaseModel):
    """What stack.json holds."""

    model_config = ConfigDict(strict=True)

    ports: dict[str, Annotated[int, Field(ge=1, le=65535)]]
    secrets: dict[str, str]


def read_private_json(file: Path, model: type[T]) -> T | None:
    """What `keep_secret` wrote into a file; None where there is none.

    Raises:
        Foreign: for other content.
        OSError: when the file cannot be read.
    """
    try:
        return model.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise InvalidStateFile(file) from None


def write_private_json(file: Path, content: dict[str, Any]) -> None:
    """Write `content` as JSON that only the owner may read: all of it, on disk, or nothing."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump(content, out, indent=2)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too: checkpoints are signed with a key that is only here
    finally:
        os.close(folder)


def resolve_data_folder(data: Path) -> Path:
    """The path of a data folder without symbolic links; one whose links form a loop is refused when it is opened."""
    return Path(os.path.realpath(data))


def is_running(data: Path) -> bool:
    """Whether a stack holds the folder now."""
    try:
        with (data / "stack.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def make_private(data: Path) -> bool:
    """Make `data` if need be and restrict it to its owner; returns whether others could enter it before.

    It holds prompts, videos, logs and secrets. Raises Failure for a folder that others may enter and that holds other
    things than a stack, or is another user's: what is in it may be meant for them.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = data.stat().st_mode
    if not mode & 0o077:
        return False
    ours = (data / "stack.lock").exists() or (data / "stack.json").exists() or not any(data.iterdir())
    if mode & stat.S_ISVTX or not ours or data.stat().st_uid != os.geteuid():
        raise CommandError(
            f"other users may enter {data} (mode {stat.S_IMODE(mode):04o}), which would hold prompts, videos and "
            "secrets: choose a new folder with --data, or take their rights away with chmod 700"
        )
    data.chmod(0o700)
    return True


@contextmanager
def private_files() -> Iterator[None]:
    """What this process and its children make in the block is for its user alone."""
    before = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)


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
