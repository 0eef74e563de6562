"""What the commands about events print."""

import json
from dataclasses import dataclass

import typer

from telecine_chassis.eventstore.port import RecordedEvent
from telecine_chassis.eventstore.subscription import CatchUpSubscription
from telecine_cli.errors import CommandError
from telecine_cli.event_reader import generation_events, live_events
from telecine_cli.target import Target, connected
from telecine_contracts.streams import ACCESS, LEDGER, VIDEO, Stream
from telecine_jetstream.client import NatsClient

from .timeline import as_json as event_as_json
from .timeline import format_time, live_line, timeline_lines

__all__ = ["EventFilter", "print_generation", "print_live"]

_FOLLOWED = (VIDEO, LEDGER, ACCESS)


@dataclass(frozen=True)
class EventFilter:
    """Which events are to be shown. `since` is the first sequence of `stream`; None: from now on."""

    account: str | None = None
    generation: str | None = None
    stream: str | None = None
    since: int | None = None

    def matches(self, recorded: RecordedEvent) -> bool:
        """Whether an event is to be shown."""
        about = recorded.event.about
        wanted = {"account": self.account, "generation": self.generation}
        return all(value is None or about.get(name) == value for name, value in wanted.items())


async def print_live(target: Target, interest: EventFilter, *, as_json: bool) -> None:
    """Print events as they happen, until cancelled. Raises Failure when the connection is lost."""
    async with connected(target) as connection:
        starts = [
            (stream, await _after(connection, stream, interest))
            for stream in _FOLLOWED
            if _wanted(stream, interest)
        ]
        async with live_events(connection, starts) as events:
            typer.echo("following; Ctrl-C ends", err=True)
            while True:
                recorded = await events.get()
                if interest.matches(recorded):
                    typer.echo(json.dumps(event_as_json(recorded)) if as_json else live_line(recorded))


def _wanted(stream: Stream, interest: EventFilter) -> bool:
    return interest.stream is None or stream.name == interest.stream


async def _after(connection: NatsClient, stream: Stream, interest: EventFilter) -> int:
    return (
        await CatchUpSubscription(connection, stream).head() if interest.since is None else interest.since - 1
    )


async def print_generation(target: Target, generation: str, *, as_json: bool) -> None:
    """Print a generation's way. Raises Failure when there is no such generation."""
    async with connected(target) as connection:
        events = await generation_events(connection, generation)
    if not events:
        raise CommandError(f"there is no generation {generation}")
    if as_json:
        typer.echo(json.dumps([event_as_json(recorded) for recorded in events], indent=2))
        return
    about = events[0].event.about
    typer.echo(
        f"generation {generation} of account {about['account']}, {format_time(events[0].envelope.time)}"
    )
    for line in timeline_lines(events):
        typer.echo(line)
