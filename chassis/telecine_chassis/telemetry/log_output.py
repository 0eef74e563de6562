"""Output of log lines to standard error that never raises."""

import os
from collections.abc import Callable

__all__ = ["LogOutput"]


class LogOutput:
    """A text stream that drops lines that can't be written: full disk, closed pipe, closed descriptor.

    Code often logs while it handles an error; an exception raised there would replace that error. Nothing is buffered,
    so that lines appear again as soon as the output accepts them. `lost` is called for each dropped line.
    """

    def __init__(self, descriptor: int | None, lost: Callable[[], object] = lambda: None) -> None:
        """`descriptor`: an open file descriptor, or None if the process was started without one."""
        self._descriptor = descriptor
        self._lost = lost
        self._is_cut_off = False

    def write(self, text: str) -> int:
        """Write one or more whole lines. If the last one was cut off, end it first."""
        data = (("\n" if self._is_cut_off else "") + text).encode("utf-8", "backslashreplace")
        written = 0
        try:
            if self._descriptor is None:
                raise OSError("no standard error")
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
            self._is_cut_off = False
        except OSError:
            self._is_cut_off = self._is_cut_off or written > 0
            self._lost()
        return len(text)

    def flush(self) -> None:
        """Nothing is buffered."""

    def isatty(self) -> bool:
        """Whether the output is a terminal."""
        try:
            return self._descriptor is not None and os.isatty(self._descriptor)
        except OSError:
            return False
