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
output that is closed or full, a defect of the auditor. The ledger was not judged."""
INTERRUPTED, BROKEN_PIPE = 130, 141
"""128 plus the signal's number, as shells do: SIGINT; SIGPIPE, the reader of standard output closed the pipe."""


def run_command(work: Callable[[], int], report: Callable[[str], object]) -> int:
    """The exit code of `work`, which returns CLEAN or BREACH or raises; `report` gets the reason why it failed.

    No exception leaves this function.
    """
    # An unhandled exception would end Python with 1, the code of a breach; output that cannot be flushed when the
    # interpreter ends, with 120.
    if not _prepare_output(report):
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
            if not isinstance(output.error, BrokenPipeError):
                with suppress(OSError):
                    report(_reason(error, output.error))
        with suppress(OSError):
            output.flush()
    for stream in (sys.stdout, sys.stderr):
        _discard_if_broken(stream)
    if output.error is None or code == INTERRUPTED:
        return code
    return BROKEN_PIPE if isinstance(output.error, BrokenPipeError) else FAILED


class _Output:
    """Standard output that remembers whether it was written to, and why that failed."""

    def __init__(self, stream: TextIO) -> None:
        self.error: OSError | None = None
        self.used = False
        self._stream = stream

    def write(self, text: str) -> int:
        """Raises OSError."""
        self.used = True
        with self._remembering_errors():
            return self._stream.write(text)

    def flush(self) -> None:
        """Raises OSError."""
        with self._remembering_errors():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _remembering_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = error
            raise


def _prepare_output(report: Callable[[str], object]) -> bool:
    """Whether there is a standard output; sets its encoding.

    A terminal gets its own encoding, with escapes for characters that it lacks; files and pipes get UTF-8 everywhere.
    """
    # For a closed file descriptor Python has None, and `print` writes nothing without an error.
    if sys.stderr is None:
        sys.stderr = _open_devnull()
    if sys.stdout is None:
        sys.stdout = _open_devnull()
        report("standard output is closed: send it to a file, or to /dev/null if it is not needed")
        return False
    if isinstance(sys.stdout, io.TextIOWrapper):
        encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    return True


def _open_devnull() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _reason(error: Exception, output_error: OSError | None) -> str:
    if isinstance(error, CommandError):
        return str(error)
    if error is output_error:
        return f"standard output cannot be written: {output_error.strerror or output_error}"
    if isinstance(error, OSError):
        place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return f"{place}{error.strerror or error}"
    details = "".join(traceback.format_exception(error))
    defect = f"unexpected {type(error).__name__}, a defect of telecine-audit: please report it with this"
    return f"{defect}\n{details}".rstrip()


def _discard_if_broken(stream: TextIO) -> None:
    """Redirect a stream that cannot be flushed to /dev/null: the interpreter would fail on it again when it ends."""
    try:
        stream.flush()
    except OSError:
        with suppress(OSError):
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)
