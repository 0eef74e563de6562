"""Events as lines of text, as tables and as JSON; the output of `telecine events`."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import typer

from telecine_chassis.eventstore.port import RecordedEvent, UndecodedEvent
from telecine_chassis.eventstore.subscription import CatchUpSubscription
from telecine_cli.errors import CommandError
from telecine_cli.event_reader import generation_events, live_events
from telecine_cli.target import Target, connected
from telecine_contracts import Event, encode
from telecine_contracts.streams import ACCESS, LEDGER, VIDEO, Stream
from telecine_jetstream.client import NatsClient

from .formats import describe, format_time, printable
from .tables import print_table

__all__ = ["EventFilter", "event_as_json", "live_line", "print_generation", "print_live", "timeline_rows"]

_FOLLOWED = (VIDEO, LEDGER, ACCESS)


@dataclass(frozen=True)
class EventFilter:
    """Which events to show. `since` is the first sequence of `stream`; None: only new events."""

    account: str | None = None
    generation: str | None = None
    stream: str | None = None
    since: int | None = None

    def matches(self, recorded: RecordedEvent) -> bool:
        """Whether an event is of the account and of the generation."""
        about = recorded.event.about
        wanted = {"account": self.account, "generation": self.generation}
        return all(value is None or about.get(name) == value for name, value in wanted.items())


async def print_live(target: Target, event_filter: EventFilter, *, as_json: bool) -> None:
    """Print events as they are appended, until cancelled.

    Raises:
        CommandError: the connection is lost.
    """
    async with connected(target) as connection:
        starts = [
            (stream, await _start_after(connection, stream, event_filter.since))
            for stream in _FOLLOWED
            if event_filter.stream in (None, stream.name)
        ]
        async with live_events(connection, starts) as events:
            typer.echo("waiting for events; stop with Ctrl-C", err=True)
            while True:
                recorded = await events.get()
                if event_filter.matches(recorded):
                    typer.echo(json.dumps(event_as_json(recorded)) if as_json else live_line(recorded))


async def _start_after(connection: NatsClient, stream: Stream, since: int | None) -> int:
    return await CatchUpSubscription(connection, stream).head() if since is None else since - 1


async def print_generation(target: Target, generation: str, *, as_json: bool) -> None:
    """Print all events of a generation.

    Raises:
        CommandError: there is no such generation.
    """
    async with connected(target) as connection:
        events = await generation_events(connection, generation)
    if not events:
        raise CommandError(f"there is no generation {generation}")
    if as_json:
        typer.echo(json.dumps([event_as_json(recorded) for recorded in events], indent=2))
        return
    account, start = events[0].event.about["account"], format_time(events[0].envelope.time)
    typer.echo(f"generation {generation} of account {account}, {start}")
    print_table(timeline_rows(events))


def timeline_rows(events: Iterable[RecordedEvent]) -> list[tuple[str, ...]]:
    """A row for each event: seconds since the first one, stream and sequence, type, description."""
    events = [*events]
    return [
        (
            f"+{(recorded.envelope.time - events[0].envelope.time).total_seconds():.3f} s",
            _position(recorded),
            _type(recorded),
            _description(recorded),
        )
        for recorded in events
    ]


def live_line(recorded: RecordedEvent) -> str:
    """One event on one line: time, stream and sequence, type, account and generation, description."""
    about = " ".join(recorded.event.about.values())
    time = format_time(recorded.envelope.time)
    return f"{time}  {_position(recorded):<12}  {_type(recorded):<32}  {about}  {_description(recorded)}"


def event_as_json(recorded: RecordedEvent) -> dict[str, Any]:
    """Everything about an event: stream and sequence, envelope, and the body under `data`."""
    envelope = recorded.envelope
    return {
        "stream": recorded.event.stream,
        "sequence": recorded.sequence,
        "type": _type(recorded),
        "time": format_time(envelope.time),
        "id": envelope.id,
        "source": envelope.source,
        "subject": envelope.subject,
        "correlation": envelope.correlation,
        "causation": envelope.causation,
        "traceparent": envelope.traceparent,
        **_body(recorded.event),
    }


def _body(event: Event) -> dict[str, Any]:
    if isinstance(event, UndecodedEvent):
        return {"data": None, "unread": str(event.error)}
    return {"data": json.loads(encode(event))}


def _position(recorded: RecordedEvent) -> str:
    return f"{recorded.event.stream}#{recorded.sequence}"


def _type(recorded: RecordedEvent) -> str:
    event = recorded.event
    return printable(event.name or "-") if isinstance(event, UndecodedEvent) else event.type


def _description(recorded: RecordedEvent) -> str:
    event = recorded.event
    if not isinstance(event, UndecodedEvent):
        return describe(event)
    return (
        "of a newer version: upgrade to read it"
        if event.is_unknown
        else f"not an event: {printable(str(event.error))}"
    )
