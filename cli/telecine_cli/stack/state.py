"""The state of a stack in its data folder (ports and secrets), and the lock that allows one stack per folder."""

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
    """Ports and secrets by name. They do not change while the stack runs."""

    ports: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def random_secret() -> str:
    """A new random secret."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def load_or_create_state(
    data: Path, ports: Iterable[str], makers: Mapping[str, Callable[[], str]]
) -> StackState:
    """The state in `data`/stack.json (mode 0600); missing ports and secrets are chosen and stored.

    `makers`: the generator of each secret, by its name. A port that another process uses by now is replaced.
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
    """The state in `data`/stack.json; an empty one if there is no such file. Raises InvalidStateFile."""
    kept = read_private_json(data / "stack.json", _StateFile)
    return StackState() if kept is None else StackState(kept.ports, kept.secrets)


class _StateFile(BaseModel):
    """The content of stack.json."""

    model_config = ConfigDict(strict=True)

    ports: dict[str, Annotated[int, Field(ge=1, le=65535)]]
    secrets: dict[str, str]


def read_private_json(file: Path, model: type[T]) -> T | None:
    """The content of a file that `write_private_json` wrote; None if there is no such file.

    Raises:
        InvalidStateFile: it has other content.
        OSError: the file cannot be read.
    """
    try:
        return model.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        raise InvalidStateFile(file) from None


def write_private_json(file: Path, content: dict[str, Any]) -> None:
    """Write `content` as JSON that only the owner may read; atomic, and synced to disk."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump(content, out, indent=2)
        out.flush()
        os.fsync(out.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too: the key that signs checkpoints is stored nowhere else
    finally:
        os.close(folder)


def resolve_data_folder(data: Path) -> Path:
    """The absolute path of a data folder without symbolic links; a loop of links is refused when it is opened."""
    return Path(os.path.realpath(data))


def is_running(data: Path) -> bool:
    """Whether a stack is running on the folder."""
    try:
        with (data / "stack.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def make_private(data: Path) -> bool:
    """Create `data` if needed and restrict it to its owner; returns whether others could enter it before.

    It contains prompts, videos, logs and secrets.

    Raises:
        CommandError: others may enter the folder, and it is another user's or contains other things than a stack, which
            may be meant for them.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = data.stat().st_mode
    if not mode & 0o077:
        return False
    ours = (data / "stack.lock").exists() or (data / "stack.json").exists() or not any(data.iterdir())
    if mode & stat.S_ISVTX or not ours or data.stat().st_uid != os.geteuid():
        raise CommandError(
            f"other users may enter {data} (mode {stat.S_IMODE(mode):04o}), but it would contain prompts, videos and "
            "secrets: choose a new folder with --data, or restrict this one with chmod 700"
        )
    data.chmod(0o700)
    return True


@contextmanager
def private_files() -> Iterator[None]:
    """Files that this process and its children create in the block are private to their user."""
    before = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def lock(data: Path) -> Iterator[None]:
    """Create `data` if needed (readable by its owner only) and lock it against other stacks.

    The kernel releases the lock when this process ends, even by a crash.

    Raises:
        AlreadyRunning: another stack has locked the folder.
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
