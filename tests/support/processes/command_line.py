"""The telecine command: called in this process, or run as one of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from telecine_cli.__main__ import main

__all__ = [
    "CommandResult",
    "TelecineProcess",
    "is_alive",
    "processes_with",
    "run_command",
    "telecine_process",
]

_PLAIN = {"TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "200"}


@dataclass(frozen=True)
class CommandResult:
    """How a call ended."""

    code: int
    out: str
    err: str


def run_command(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> CommandResult:
    """Run a command in this process. Not inside a running event loop."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return CommandResult(ended.value.code if isinstance(ended.value.code, int) else 0, said.out, said.err)


@dataclass
class TelecineProcess:
    """A command that runs. `out` and `err` are what it has written so far."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text(encoding="utf-8")

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text(encoding="utf-8")

    def wait_for(self, text: str, *, within: float = 60.0) -> str:
        """Until `text` was written to standard output or error; all of it."""
        give_up = time.monotonic() + within
        while text not in (said := self.out + self.err):
            assert self.process.poll() is None, f"it ended with {self.process.returncode}:\n{said}"
            assert time.monotonic() < give_up, f"{text!r} did not come:\n{said}"
            time.sleep(0.05)  # a deadline, not a wait for luck
        return said

    def children(self) -> list[int]:
        """The processes that it started itself (Linux)."""
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def interrupt(self, *, within: float = 60.0) -> int:
        """Ctrl-C; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(within)


@contextmanager
def telecine_process(
    folder: Path, *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> Iterator[TelecineProcess]:
    """Run a command on its own, in `folder`; killed at the end of the block if it still runs."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "telecine_cli", *map(str, arguments)]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**os.environ, **_PLAIN, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
    try:
        yield TelecineProcess(process, folder)
    finally:
        process.kill()
        process.wait()


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie that was not reaped yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def processes_with(variable: str, value: str) -> list[int]:
    """Every process that was started with this environment variable (Linux)."""
    wanted = f"{variable}={value}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if wanted in environment.split(b"\0") and is_alive(int(folder.name)):
            found.append(int(folder.name))
    return found
