"""The output of the demo while it runs: lines, and on a terminal a live status below them."""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_cli.output.formats import describe
from telecine_cli.output.tables import print_table

from .tracker import GenerationTracker, TrackedGeneration

__all__ = ["DemoConsole", "open_console"]


def open_console(*, standard_error: bool) -> "DemoConsole":
    """A console on standard output, or on standard error when standard output is for programs."""
    return DemoConsole(Console(stderr=standard_error, highlight=False, soft_wrap=True))


@dataclass
class DemoConsole:
    """Prints lines and tables; on a terminal that supports it, with a live status below them."""

    console: Console
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str = "", style: str = "") -> None:
        """Print one line."""
        self.console.print(Text(text, style=style))

    def table(
        self,
        rows: Iterable[Sequence[str]],
        *,
        head: Sequence[str] = (),
        right: Collection[int] = (),
    ) -> None:
        """Print a table, indented by two spaces."""
        print_table(rows, head=head, right=right, console=self.console, indent=2)

    def event(self, recorded: RecordedEvent) -> None:
        """Print one event as it arrives."""
        seconds = time.monotonic() - self.began
        who = recorded.event.about.get("generation", recorded.event.about.get("account", ""))
        place = f"{recorded.event.stream}#{recorded.sequence}"
        line = Text().append(f"{seconds:6.1f} s  ", style="dim")
        line.append(f"{place:<10} ", style="cyan" if recorded.event.stream == "VIDEO" else "green")
        line.append(f"{who[:8]:<8}  ", style="dim").append(f"{recorded.event.type:<32} ", style="bold")
        self.console.print(line.append(describe(recorded.event)))

    @contextmanager
    def live_status(self, tracker: GenerationTracker) -> Iterator[None]:
        """Show the newest event of each generation below the lines during the block."""
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            yield
            return
        spinner = Spinner("dots", style="cyan")

        def status() -> Group:
            return Group(*(_status(tracked, spinner) for tracked in tracker.all()))

        with Live(get_renderable=status, console=self.console, refresh_per_second=10, transient=True):
            yield


def _status(tracked: TrackedGeneration, spinner: Spinner) -> Text:
    turning = spinner.render(time.monotonic())
    text = (
        Text("✓ ", style="green")
        if tracked.over
        else Text.assemble(turning if isinstance(turning, Text) else "", " ")
    )
    last = tracked.last
    text.append(f"{tracked.kind.value:<15} ", style="bold")
    return text.append(describe(last.event) if last else "requested", style="dim" if tracked.over else "")
