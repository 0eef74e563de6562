"""What the commands about dead letters print."""

import base64

import typer
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from pydantic import TypeAdapter

from telecine_chassis.dead_letters import DeadLetter, DeadLetters
from telecine_cli.event_words import printable
from telecine_cli.failure import Failure
from telecine_cli.target import Target, connected
from telecine_cli.timeline import columns, moment
from telecine_contracts.streams import CONSUMERS

__all__ = ["replay_letters", "replayable", "tell_letter", "tell_letters"]

_LONGEST_ERROR = 80
_LETTERS = TypeAdapter(list[DeadLetter])


async def tell_letters(target: Target, *, as_json: bool) -> None:
    """Print every letter that is kept."""
    async with connected(target) as connection:
        letters = await DeadLetters(connection).list()
    if as_json:
        typer.echo(_LETTERS.dump_json(letters, indent=2).decode())
    elif letters:
        head = ("letter", "kept", "consumer", "message", "tries", "error")
        for line in columns([head, *map(_cells, letters)]):
            typer.echo(line)
    else:
        typer.echo("no dead letters", err=True)


def _cells(letter: DeadLetter) -> tuple[str, ...]:
    error = printable(f"{letter.error_type}: {letter.error}")
    return (
        str(letter.id),
        moment(letter.kept_at) if letter.kept_at else "-",
        letter.consumer,
        f"{letter.stream}#{letter.sequence}",
        str(letter.tries),
        error if len(error) <= _LONGEST_ERROR else f"{error[:_LONGEST_ERROR]}…",
    )


async def tell_letter(target: Target, number: int, *, as_json: bool) -> None:
    """Print one letter; the message's content, which may hold a prompt, only as JSON. Raises Failure."""
    async with connected(target) as connection:
        letter = await _get(connection, number)
    if as_json:
        typer.echo(letter.model_dump_json(indent=2))
        return
    size = len(base64.b64decode(letter.body))
    facts = (
        ("letter", str(letter.id)),
        ("kept", moment(letter.kept_at) if letter.kept_at else "-"),
        ("service", letter.service),
        ("consumer", letter.consumer),
        (
            "message",
            f"{letter.stream}#{letter.sequence} on {letter.subject}, {size} bytes (--json shows them)",
        ),
        *((f"  {name}", value) for name, value in sorted(letter.headers.items())),
        ("tries", str(letter.tries)),
        ("error", f"{letter.error_type}: {letter.error}"),
        ("replay", f"telecine dead-letters replay {letter.id}" if replayable(letter) else _rebuild(letter)),
    )
    for line in columns((name, printable(value)) for name, value in facts):
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
        raise Failure(
            "\n".join(f"letter {letter.id} can't be replayed: {_rebuild(letter)}" for letter in left)
        )


def replayable(letter: DeadLetter) -> bool:
    """Whether a consumer can be given the message again; a projection reads in order and can't go back."""
    return any(consumer.name == letter.consumer for consumer in CONSUMERS)


def _rebuild(letter: DeadLetter) -> str:
    return (
        f"a projection left it out; when the cause is repaired: telecine projections rebuild {letter.service}"
    )


async def _get(connection: Client, number: int) -> DeadLetter:
    try:
        return await DeadLetters(connection).get(number)
    except NotFoundError:
        raise Failure(
            f"there is no dead letter {number}: `telecine dead-letters list` shows them all"
        ) from None
