"""One supervised child process: started, waited for until it is ready, stopped, and never left behind.

A child is not bound to an event loop: it may be started in one loop and stopped in another, or outside of any.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from telecine_cli.errors import ProcessExited, ProcessNotReady
from telecine_cli.preload.child import AdoptedChild

__all__ = ["PRIVATE_UMASK", "Command", "Probe", "Process"]

Probe = Callable[[], Awaitable[bool]]
"""Returns whether a child is ready."""

_LAUNCHER = Path(__file__).with_name("launcher.py")
_POLL_SECONDS = 0.02
_PROBE_SECONDS = 2.0
_TAIL_BYTES = 4096
PRIVATE_UMASK = 0o077
"""Streams, tables, objects and logs contain prompts and videos: files of children are private to their user."""
_KEEP_LOG_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Command:
    """A command line. `env` is the complete environment of the child; its output is appended to `log`."""

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    cwd: Path | None = None
    module: str | None = None
    """The module that `argv` runs with `python -m`: such a process may also be forked (see telecine_cli.preload)."""


class Process:
    """A child process in its own session, so that Ctrl-C in the terminal reaches only the supervisor.

    On Linux the kernel kills it when the supervisor dies. Call `start` on the main thread (see launcher.py).
    """

    def __init__(self, command: Command) -> None:
        self.command = command
        self._child: subprocess.Popen[bytes] | AdoptedChild | None = None
        self._log_start = 0

    @property
    def name(self) -> str:
        """Its name, which is also the name of its log file."""
        return self.command.name

    @property
    def running(self) -> bool:
        """Whether the child has been started and has not exited."""
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id and process group of the running child; None if it does not run."""
        return self._child.pid if self._child is not None and self.running else None

    @property
    def returncode(self) -> int | None:
        """The exit code (negative: killed by that signal); None while it runs or if it was never started."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Run the command; does nothing if it is already running.

        Raises:
            OSError: the program cannot be run (macOS; on Linux `wait_ready` reports it).
        """
        if self.running:
            return
        with _private_log(self.begin_log()) as output:
            self._child = subprocess.Popen(  # noqa: S603  the command is built by this package
                _with_launcher(self.command.argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(self.command.env),
                cwd=self.command.cwd,
                start_new_session=True,
                umask=PRIVATE_UMASK,
            )

    def adopt(self, child: AdoptedChild) -> None:
        """Supervise a child that was started elsewhere, after `begin_log`, and runs this command."""
        self._child = child

    def begin_log(self) -> Path:
        """Prepare the log file for the output of a new run; returns its path."""
        log = self.command.log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = _begin_log(log)
        return log

    async def wait_ready(self, probe: Probe, deadline: float) -> None:
        """Return as soon as `probe` returns True.

        Args:
            deadline: seconds from now.

        Raises:
            ProcessExited: at once when the child exits.
            ProcessNotReady: the deadline passes first.
        """
        give_up = time.monotonic() + deadline
        while time.monotonic() < give_up:
            if not self.running:
                raise ProcessExited(f"{self.name} ended with code {self.returncode}{self.log_tail()}")
            if await _run_probe(probe, min(_PROBE_SECONDS, give_up - time.monotonic())):
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise ProcessNotReady(f"{self.name} was not ready after {deadline:g} s{self.log_tail()}")

    async def wait(self) -> int | None:
        """Wait until the child has exited; returns its exit code, None if it was never started."""
        while self.running:  # noqa: ASYNC110  a process sets no event
            await asyncio.sleep(_POLL_SECONDS)
        return self.returncode

    async def terminate(self, grace: float = 5.0) -> None:
        """Send SIGTERM, and SIGKILL after `grace` seconds, or at once if cancelled."""
        try:
            self.send(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self.wait()
        finally:
            self.kill()

    def kill(self) -> None:
        """Send SIGKILL to the child's process group, and reap the child; does nothing if it does not run."""
        if self._child is None or not self.running:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the child only; does nothing if it does not run."""
        if self._child is not None:
            self._child.send_signal(number)

    async def restart(self, grace: float = 5.0) -> None:
        """Terminate and start the child; the caller waits until it is ready."""
        await self.terminate(grace)
        self.start()

    def log_tail(self) -> str:
        """The last lines of output since the child was started, in a form that can be appended to a message."""
        try:
            with self.command.log.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_start, end - _TAIL_BYTES))
                text = log.read().decode(errors="replace").strip()
        except FileNotFoundError:
            return ""
        return f"; the end of {self.command.log}:\n{text}" if text else f"; {self.command.log} is empty"


def _with_launcher(argv: tuple[str, ...]) -> list[str]:
    if not sys.platform.startswith("linux"):
        return list(argv)
    return [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *argv]


def _private_log(log: Path) -> BinaryIO:
    return open(log, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def _begin_log(log: Path) -> int:
    """Rotate a long log (one old file is kept); returns the offset where the output of this run begins."""
    size = log.stat().st_size if log.exists() else 0
    if size <= _KEEP_LOG_BYTES:
        return size
    log.replace(log.with_suffix(log.suffix + ".1"))
    return 0


async def _run_probe(probe: Probe, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await probe()
    except TimeoutError:
        return False
