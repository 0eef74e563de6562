"""The output of `telecine dead-letters`."""

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

from .formats import format_time, printable
from .tables import print_table

__all__ = ["dismiss_letters", "print_letter", "print_letters", "replay_letters", "replayable"]

_LONGEST_ERROR = 80
_LETTERS = TypeAdapter(list[DeadLetter])


async def print_letters(target: Target, *, resolved: bool, as_json: bool) -> None:
    """Print every unresolved letter, or the `resolved` ones."""
    async with connected(target) as connection:
        letters = await DeadLetters(connection).list(resolved=resolved)
    if as_json:
        typer.echo(_LETTERS.dump_json(letters, indent=2).decode())
    elif letters:
        last = ("resolved", "how", "reason") if resolved else ("kept", "failures", "error")
        print_table(map(_cells, letters), head=("letter", "consumer", "message", *last))
    else:
        typer.echo("no dead letters", err=True)


def _cells(letter: DeadLetter) -> tuple[str, ...]:
    which = str(letter.id), letter.consumer, f"{letter.stream}#{letter.sequence}"
    if letter.resolution is not None:
        return (
            *which,
            _time_or_dash(letter.resolved_at),
            letter.resolution.value,
            printable(letter.reason or "-"),
        )
    error = printable(f"{letter.error_type}: {letter.error}")
    shown = error if len(error) <= _LONGEST_ERROR else f"{error[:_LONGEST_ERROR]}…"
    return *which, _time_or_dash(letter.kept_at), str(letter.failures), shown


def _time_or_dash(time: datetime | None) -> str:
    return format_time(time) if time else "-"


async def print_letter(target: Target, number: int, *, as_json: bool) -> None:
    """Print one letter. The message's body, which may contain a prompt, is printed as JSON only.

    Raises:
        CommandError: there is no such letter.
    """
    async with connected(target) as connection:
        letter = await _get(connection, number)
    if as_json:
        typer.echo(letter.model_dump_json(indent=2))
        return
    size = len(base64.b64decode(letter.body))
    rows = (
        ("letter", str(letter.id)),
        ("kept", _time_or_dash(letter.kept_at)),
        ("service", letter.service),
        ("consumer", letter.consumer),
        (
            "message",
            f"{letter.stream}#{letter.sequence} on {letter.subject}, {size} bytes (shown by --json)",
        ),
        *((f"  {name}", value) for name, value in sorted(letter.headers.items())),
        ("tries", str(letter.tries)),
        ("failures", str(letter.failures)),
        ("error", f"{letter.error_type}: {letter.error}"),
        ("replay", f"telecine dead-letters replay {letter.id}" if replayable(letter) else _rebuild(letter)),
        ("dismiss", f'telecine dead-letters dismiss {letter.id} --reason "…"'),
    )
    print_table((name, printable(value)) for name, value in rows)


async def replay_letters(target: Target, number: int | None) -> None:
    """Replay one letter, or all letters when `number` is None.

    Raises:
        CommandError: there is no such letter, or some could not be replayed.
    """
    async with connected(target) as connection:
        box = DeadLetters(connection)
        letters = await box.list() if number is None else [await _get(connection, number)]
        left = [letter for letter in letters if not replayable(letter)]
        for letter in letters:
            if letter not in left:
                await box.replay(letter)
                typer.echo(
                    f"letter {letter.id}: {letter.stream}#{letter.sequence} is delivered to {letter.consumer} again"
                )
    if not letters:
        typer.echo("no dead letters", err=True)
    if left:
        raise CommandError(
            "\n".join(f"letter {letter.id} can't be replayed: {_rebuild(letter)}" for letter in left)
        )


async def dismiss_letters(target: Target, number: int | None, reason: str) -> None:
    """Dismiss one letter, or all letters when `number` is None.

    Raises:
        CommandError: there is no such letter.
    """
    async with connected(target) as connection:
        box = DeadLetters(connection)
        letters = await box.list() if number is None else [await _get(connection, number)]
        for letter in letters:
            await box.dismiss(letter, reason)
            typer.echo(
                f"letter {letter.id}: dismissed {letter.stream}#{letter.sequence} for {letter.consumer}"
            )
    if not letters:
        typer.echo("no dead letters", err=True)


def replayable(letter: DeadLetter) -> bool:
    """Whether the message can be delivered again: to a consumer, but not to a projection, which reads in order."""
    return any(consumer.name == letter.consumer for consumer in CONSUMERS)


def _rebuild(letter: DeadLetter) -> str:
    return (
        f"a projection skipped it. Fix the cause, run telecine projections rebuild {letter.service}, "
        f"then telecine dead-letters dismiss {letter.id}"
    )


async def _get(connection: Client, number: int) -> DeadLetter:
    try:
        return await DeadLetters(connection).get(number)
    except NotFoundError:
        raise CommandError(
            f"there is no dead letter {number}: `telecine dead-letters list` shows all letters"
        ) from None
