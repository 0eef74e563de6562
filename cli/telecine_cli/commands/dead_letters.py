"""`telecine dead-letters`: messages that a service could not process."""

from typing import Annotated

import typer

from .options import AsJson, TargetOptions, group, with_target

__all__ = ["app"]

LetterId = Annotated[int, typer.Argument(min=1, help="The letter's number, as `dead-letters list` shows it.")]


def app() -> typer.Typer:
    """The commands of `telecine dead-letters`."""
    commands = group(
        "Messages that a service could not process: stored with the error, to be inspected and replayed."
    )
    commands.command("list", epilog="Example:\n\n    telecine dead-letters list")(list_)
    commands.command(epilog="Example:\n\n    telecine dead-letters show 7")(show)
    commands.command(
        epilog="Examples:\n\n    telecine dead-letters replay 7\n\n    telecine dead-letters replay --all"
    )(replay)
    commands.command(
        epilog='Examples:\n\n    telecine dead-letters dismiss 7 --reason "published by hand, incident 12"\n\n    '
        'telecine dead-letters dismiss --all --reason "tables were rebuilt"'
    )(dismiss)
    return commands


@with_target
def list_(
    target: TargetOptions,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Only replayed and dismissed letters, with the reason.")
    ] = False,
    json: AsJson = False,
) -> None:
    """List unresolved letters, oldest first."""
    from telecine_cli.output.dead_letters import print_letters
    from telecine_cli.runner import run

    run(print_letters(target.find(), resolved=resolved, as_json=json))


@with_target
def show(
    target: TargetOptions,
    letter: LetterId,
    json: AsJson = False,
) -> None:
    """Show one letter: the message's position, the error, the number of tries. Its body is shown with --json only."""
    from telecine_cli.output.dead_letters import print_letter
    from telecine_cli.runner import run

    run(print_letter(target.find(), letter, as_json=json))


@with_target
def replay(
    target: TargetOptions,
    letter: Annotated[
        int | None, typer.Argument(min=1, help="The letter's number.", show_default=False)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every letter.")] = False,
) -> None:
    """Deliver a message again to the service that could not process it. If it fails again, it is stored again."""
    _one_or_all(letter, all_)
    from telecine_cli.output.dead_letters import replay_letters
    from telecine_cli.runner import run

    run(replay_letters(target.find(), letter))


@with_target
def dismiss(
    target: TargetOptions,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why the message is dismissed; the reason is recorded.")
    ],
    letter: Annotated[
        int | None, typer.Argument(min=1, help="The letter's number.", show_default=False)
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every letter.")] = False,
) -> None:
    """Dismiss a message for good. The letter and the reason stay on record: see `list --resolved`."""
    _one_or_all(letter, all_)
    if not reason.strip():
        raise typer.BadParameter("give the reason for dismissing the message", param_hint="--reason")
    from telecine_cli.output.dead_letters import dismiss_letters
    from telecine_cli.runner import run

    run(dismiss_letters(target.find(), letter, reason.strip()))


def _one_or_all(letter: int | None, all_: bool) -> None:
    if (letter is None) is not all_:
        raise typer.BadParameter("give the number of one letter, or --all", param_hint="LETTER")
