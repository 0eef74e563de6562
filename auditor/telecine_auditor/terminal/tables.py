"""What people see: tables on stdout, progress on stderr."""

import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TextIO

from telecine_auditor.json_documents import name_of

from .sanitizer import shown_json

__all__ = ["Progress", "number", "print_json", "table"]

_QUIET_SECONDS = 1.0
_BETWEEN_SECONDS = 0.2
_WIDTH = 30


class Progress:
    """A bar on stderr: only on a terminal, only when the work takes longer than a second.

    `total` is how many entries there are, 0 when nobody knows; `enabled` False shows nothing at all.
    """

    def __init__(self, label: str, total: int, enabled: bool = True, *, on: TextIO | None = None) -> None:
        self._stream = on or sys.stderr
        self._label, self._total, self._done = label, total, 0
        self._shown = False
        self._enabled = enabled and self._stream.isatty()
        self._started = time.monotonic()
        self._due = self._started + _QUIET_SECONDS

    def __enter__(self) -> Self:
        return self

    def advance(self, count: int = 1) -> None:
        """`count` more are done."""
        self._done += count
        if self._enabled and (now := time.monotonic()) >= self._due:
            self._due = now + _BETWEEN_SECONDS
            self._shown = True
            self._stream.write(f"\r{self._line(now - self._started)}\x1b[K")
            self._stream.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _line(self, seconds: float) -> str:
        rate = self._done / seconds
        speed = f"{number(self._done)} at {number(round(rate))}/s"
        if not self._total:
            return f"{self._label} {speed}"
        part = min(1.0, self._done / self._total)
        left = max(0, self._total - self._done) / rate if rate else 0
        bar = "█" * round(part * _WIDTH)
        return f"{self._label} {bar:░<{_WIDTH}} {part:4.0%}  {speed}, {left:.0f} s left"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a table: columns as wide as needed, whole numbers to the right with thousands apart."""
    right = [bool(rows) and all(isinstance(row[at], int) for row in rows) for at in range(len(head))]
    cells = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]
    cells.insert(1, ["-" * width for width in widths])
    return ["  ".join(map(_aligned, row, widths, right)).rstrip() for row in cells]


def number(value: int) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,}"


def print_json(command: str, document: Mapping[str, Any]) -> None:
    """The one document of `--json` on stdout, see `json_documents`."""
    sys.stdout.write(shown_json({"document": name_of(command), **document}) + "\n")


def _cell(value: object) -> str:
    return number(value) if isinstance(value, int) else "" if value is None else str(value)


def _aligned(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
