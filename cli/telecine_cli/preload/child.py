"""A child process that another process has forked: the part of `subprocess.Popen` that a supervisor needs."""

import os
import signal

__all__ = ["AdoptedChild"]


class AdoptedChild:
    """The child with this process id. It has to be a child of this process, and nothing else may wait for it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code (negative: killed by that signal), or None while it runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        """Wait until it has ended; its exit code."""
        return self._wait(0)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended: its process id may be another's by then."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _wait(self, options: int) -> int | None:
        if self._returncode is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self._returncode = os.waitstatus_to_exitcode(status)
        return self._returncode
