"""Exit codes: what a command ends with is decided here alone."""

import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from telecine_auditor.errors import CommandError

__all__ = ["BREACH", "BROKEN_PIPE", "CLEAN", "FAILED", "INTERRUPTED", "run_command"]

CLEAN = 0
"""Everything holds, or the report was made."""
BREACH = 1
"""A breach was found and reported. Only the result of a command gives this code, never an error."""
FAILED = 2
"""The command could not do its work: usage, a source or file that cannot be read or written, a full disk, a standard
output that is closed or full, a defect of the auditor. Nothing was found out about the ledger."""
INTERRUPTED, BROKEN_PIPE = 130, 141
"""128 plus the signal's number, as shells do it: SIGINT; SIGPIPE, the reader of standard output closed the pipe."""


def run_command(work: Callable[[], int], report: Callable[[str], object]) -> int:
    """The exit code of `work`, which returns CLEAN or BREACH or raises; `report` gets the reason why it failed.

    No exception leaves this function, and none becomes BREACH: an unhandled one would end Python with 1, and output
    that cannot be flushed when the interpreter ends, with 120.
    """
    if not _opened(report):
        return FAILED
    output = _Output(sys.stdout)
    with redirect_stdout(cast(TextIO, output)):
        try:
            code = work()
            sys.stdout.flush()
        except KeyboardInterrupt:
            code = INTERRUPTED
        except Exception as error:
            code = FAILED
            if not isinstance(output.trouble, BrokenPipeError):
                with suppress(OSError):
                    report(_reason(error, output.trouble))
        with suppress(OSError):
            output.flush()
    for stream in (sys.stdout, sys.stderr):
        _settle(stream)
    if output.trouble is None or code == INTERRUPTED:
        return code
    return BROKEN_PIPE if isinstance(output.trouble, BrokenPipeError) else FAILED


class _Output:
    """Standard output that remembers whether it was written to, and why that failed."""

    def __init__(self, stream: TextIO) -> None:
        self.trouble: OSError | None = None
        self.used = False
        self._stream = stream

    def write(self, text: str) -> int:
        """Raises OSError."""
        self.used = True
        with self._noted():
            return self._stream.write(text)

    def flush(self) -> None:
        """Raises OSError."""
        with self._noted():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.trouble = error
            raise


def _opened(report: Callable[[str], object]) -> bool:
    """Whether there is a standard output. Python has None for a file descriptor that is closed, and `print` is silent.

    A terminal gets its own encoding, with escapes for what it lacks; files and pipes get UTF-8 whatever the locale is.
    """
    if sys.stderr is None:
        sys.stderr = _nowhere()
    if sys.stdout is None:
        sys.stdout = _nowhere()
        report("standard output is closed: send it to a file, or to /dev/null if it is not needed")
        return False
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    return True


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _reason(error: Exception, output_trouble: OSError | None) -> str:
    if isinstance(error, CommandError):
        return str(error)
    if error is output_trouble:
        return f"standard output cannot be written: {output_trouble.strerror or output_trouble}"
    if isinstance(error, OSError):
        place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return f"{place}{error.strerror or error}"
    said = "".join(traceback.format_exception(error))
    return f"unexpected {type(error).__name__}, a defect of telecine-audit: please report it with this\n{said}".rstrip()


def _settle(stream: TextIO) -> None:
    """Put aside a stream that cannot be flushed: the interpreter would fail on it again when it ends."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
