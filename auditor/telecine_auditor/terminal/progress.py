"""A progress bar on stderr for work that takes longer than a second."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from .tables import format_number

if TYPE_CHECKING:
    import rich.progress

__all__ = ["Progress"]

_QUIET_SECONDS = 1.0


class Progress:
    """A bar on a terminal, nothing elsewhere. `total`: how many entries there are, 0 when it is unknown."""

    def __init__(self, label: str, total: int, enabled: bool = True) -> None:
        self._label, self._total, self._done = label, total, 0
        self._enabled = enabled and sys.stderr.isatty()
        self._started = time.monotonic()
        self._bar: rich.progress.Progress | None = None

    def __enter__(self) -> Self:
        return self

    def advance(self, count: int = 1) -> None:
        """`count` more entries are done."""
        self._done += count
        if self._enabled and self._bar is None and time.monotonic() - self._started >= _QUIET_SECONDS:
            self._bar = self._start()
        if self._bar is not None:
            rate = self._done / (time.monotonic() - self._started)
            speed = f"{format_number(self._done)} at {format_number(round(rate))}/s"
            done = min(self._done, self._total) if self._total else None
            self._bar.update(self._bar.task_ids[0], completed=done, speed=speed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start(self) -> "rich.progress.Progress":
        # Imported here: most commands end before a bar is shown.
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}", markup=False),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            # Output of the command itself must not be wrapped or styled.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        bar.add_task(self._label, total=self._total or None, speed="")
        bar.start()
        return bar
