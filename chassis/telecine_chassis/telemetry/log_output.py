"""Where log lines go: standard error, and never an exception to the code that logs."""

import os
from collections.abc import Callable

__all__ = ["LogOutput"]


class LogOutput:
    """A text stream that drops what cannot be written: full disk, closed pipe, closed descriptor.

    Logging is the last thing that code does before it reports a failure; an error raised there would replace the
    failure by another one. Nothing is buffered, so lines are written again as soon as the output takes them. `lost` is
    called for each line that was dropped.
    """

    def __init__(self, descriptor: int | None, lost: Callable[[], object] = lambda: None) -> None:
        """`descriptor`: an open file descriptor, or None where the process was started without one."""
        self._descriptor = descriptor
        self._lost = lost
        self._broken_off = False

    def write(self, text: str) -> int:
        """Write one or more whole lines; a line that was broken off earlier is ended first."""
        data = (("\n" if self._broken_off else "") + text).encode("utf-8", "backslashreplace")
        written = 0
        try:
            if self._descriptor is None:
                raise OSError("no standard error")
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
            self._broken_off = False
        except OSError:
            self._broken_off = self._broken_off or written > 0
            self._lost()
        return len(text)

    def flush(self) -> None:
        """Nothing is buffered."""

    def isatty(self) -> bool:
        """Whether a person reads it."""
        try:
            return self._descriptor is not None and os.isatty(self._descriptor)
        except OSError:
            return False
