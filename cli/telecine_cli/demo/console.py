"""What the demonstration shows while it runs: lines, and on a terminal a moving status below them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_cli.output.event_summary import describe

from .tracker import GenerationTracker, TrackedGeneration

__all__ = ["DemoConsole", "open_console"]


def open_console(*, standard_error: bool) -> "DemoConsole":
    """A screen on standard output, or on standard error when the output is for programs."""
    return DemoConsole(Console(stderr=standard_error, highlight=False, soft_wrap=True))


@dataclass
class DemoConsole:
    """Prints lines as they come. Where the terminal can, the last lines move."""

    console: Console
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str = "", style: str = "") -> None:
        """One line."""
        self.console.print(Text(text, style=style))

    def event(self, recorded: RecordedEvent) -> None:
        """One event as it arrives."""
        seconds = time.monotonic() - self.began
        who = recorded.event.about.get("generation", recorded.event.about.get("account", ""))
        place = f"{recorded.event.stream}#{recorded.sequence}"
        line = Text().append(f"{seconds:6.1f} s  ", style="dim")
        line.append(f"{place:<10} ", style="cyan" if recorded.event.stream == "VIDEO" else "green")
        line.append(f"{who[:8]:<8}  ", style="dim").append(f"{recorded.event.type:<32} ", style="bold")
        self.console.print(line.append(describe(recorded.event)))

    @contextmanager
    def following(self, journeys: GenerationTracker) -> Iterator[None]:
        """Below the lines: where each generation is, as long as the block lasts."""
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            yield
            return
        spinner = Spinner("dots", style="cyan")

        def status() -> Group:
            return Group(*(_status(journey, spinner) for journey in journeys.all()))

        with Live(get_renderable=status, console=self.console, refresh_per_second=10, transient=True):
            yield


def _status(journey: TrackedGeneration, spinner: Spinner) -> Text:
    turning = spinner.render(time.monotonic())
    text = (
        Text("✓ ", style="green")
        if journey.over
        else Text.assemble(turning if isinstance(turning, Text) else "", " ")
    )
    last = journey.last
    text.append(f"{journey.kind.value:<15} ", style="bold")
    return text.append(describe(last.event) if last else "asked for", style="dim" if journey.over else "")
