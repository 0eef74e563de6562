"""What the commands about dead letters print."""

import base64
from datetime import datetime

import typer
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from pydantic import TypeAdapter

from telecine_chassis.consumers.dead_letters import DeadLetter, DeadLetters
from telecine_cli.errors import CommandError
from telecine_cli.target import Target, connected
from telecine_contracts.streams import CONSUMERS

from .event_summary import printable
from .timeline import align_columns, format_time

__all__ = ["dismiss_letters", "print_letter", "print_letters", "replay_letters", "replayable"]

_LONGEST_ERROR = 80
_LETTERS = TypeAdapter(list[DeadLetter])


async def print_letters(target: Target, *, resolved: bool, as_json: bool) -> None:
    """Print every letter that is kept, or those that were `resolved`."""
    async with connected(target) as connection:
        letters = await DeadLetters(connection).list(resolved=resolved)
    if as_json:
        typer.echo(_LETTERS.dump_json(letters, indent=2).decode())
    elif letters:
        last = ("resolved", "how", "reason") if resolved else ("kept", "failures", "error")
        for line in align_columns([("letter", "consumer", "message", *last), *map(_cells, letters)]):
            typer.echo(line)
    else:
        typer.echo("no dead letters", err=True)


def _cells(letter: DeadLetter) -> tuple[str, ...]:
    which = str(letter.id), letter.consumer, f"{letter.stream}#{letter.sequence}"
    if letter.resolution is not None:
        return *which, _moment(letter.resolved_at), letter.resolution.value, printable(letter.reason or "-")
    error = printable(f"{letter.error_type}: {letter.error}")
    shown = error if len(error) <= _LONGEST_ERROR else f"{error[:_LONGEST_ERROR]}…"
    return *which, _moment(letter.kept_at), str(letter.failures), shown


def _moment(time: datetime | None) -> str:
    return format_time(time) if time else "-"


async def print_letter(target: Target, number: int, *, as_json: bool) -> None:
    """Print one letter; the message's content, which may hold a prompt, only as JSON. Raises Failure."""
    async with connected(target) as connection:
        letter = await _get(connection, number)
    if as_json:
        typer.echo(letter.model_dump_json(indent=2))
        return
    size = len(base64.b64decode(letter.body))
    facts = (
        ("letter", str(letter.id)),
        ("kept", _moment(letter.kept_at)),
        ("service", letter.service),
        ("consumer", letter.consumer),
        (
            "message",
            f"{letter.stream}#{letter.sequence} on {letter.subject}, {size} bytes (--json shows them)",
        ),
        *((f"  {name}", value) for name, value in sorted(letter.headers.items())),
        ("tries", str(letter.tries)),
        ("failures", str(letter.failures)),
        ("error", f"{letter.error_type}: {letter.error}"),
        ("replay", f"telecine dead-letters replay {letter.id}" if replayable(letter) else _rebuild(letter)),
        ("or give up", f'telecine dead-letters dismiss {letter.id} --reason "…"'),
    )
    for line in align_columns((name, printable(value)) for name, value in facts):
        typer.echo(line)


async def replay_letters(target: Target, number: int | None) -> None:
    """Replay one letter, or all that can be when `number` is None. Raises Failure."""
    async with connected(target) as connection:
        box = DeadLetters(connection)
        letters = await box.list() if number is None else [await _get(connection, number)]
        left = [letter for letter in letters if not replayable(letter)]
        for letter in letters:
            if letter not in left:
                await box.replay(letter)
                typer.echo(
                    f"letter {letter.id}: {letter.consumer} gets {letter.stream}#{letter.sequence} again"
                )
    if not letters:
        typer.echo("no dead letters", err=True)
    if left:
        raise CommandError(
            "\n".join(f"letter {letter.id} can't be replayed: {_rebuild(letter)}" for letter in left)
        )


async def dismiss_letters(target: Target, number: int | None, reason: str) -> None:
    """Dismiss one letter, or all when `number` is None. Raises Failure."""
    async with connected(target) as connection:
        box = DeadLetters(connection)
        letters = await box.list() if number is None else [await _get(connection, number)]
        for letter in letters:
            await box.dismiss(letter, reason)
            typer.echo(
                f"letter {letter.id}: {letter.stream}#{letter.sequence} is given up by {letter.consumer}"
            )
    if not letters:
        typer.echo("no dead letters", err=True)


def replayable(letter: DeadLetter) -> bool:
    """Whether a consumer can be given the message again; a projection reads in order and can't go back."""
    return any(consumer.name == letter.consumer for consumer in CONSUMERS)


def _rebuild(letter: DeadLetter) -> str:
    return (
        f"a projection left it out; when the cause is repaired: telecine projections rebuild {letter.service}, "
        f"then telecine dead-letters dismiss {letter.id}"
    )


async def _get(connection: Client, number: int) -> DeadLetter:
    try:
        return await DeadLetters(connection).get(number)
    except NotFoundError:
        raise CommandError(
            f"there is no dead letter {number}: `telecine dead-letters list` shows them all"
        ) from None
