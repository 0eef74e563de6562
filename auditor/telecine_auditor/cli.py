"""`telecine-audit`: the list of commands, and how one command line is run to its exit code."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import MISSING, Field, fields
from importlib import import_module
from importlib.metadata import version
from inspect import Parameter, Signature, get_annotations
from typing import Annotated, Any, Protocol, cast, get_type_hints

import typer
from typer.main import get_command

from telecine_auditor.terminal.exit_codes import run_command

from .errors import CommandError

__all__ = ["COMMANDS", "Command", "load", "parse", "run"]

_PROGRAM = "telecine-audit"
_CLEAN_UP_SECONDS = 2.0
"""How long a cancelled command may take to end before it is cancelled again."""

COMMANDS = {
    "verify": "check every entry: is every credit accounted for?",
    "balances": "what accounts have available and held, now or at an earlier point",
    "statement": "one account: opening balance, every entry, closing balance",
    "trial-balance": "issued, available, held, spent and expired credits, which add up to zero",
    "liability": "unspent credits by kind (paid, plan, promotional) and by when they expire",
    "show": "one entry in full: what it did, subject, headers, body, leaf hash",
    "reconcile": "provider usage (tokens) against settled credits; orphans and late results",
    "fairness": "were generations dispatched in turns? who jumped the queue",
    "export": "the ledger as books for hledger, beancount or a spreadsheet (CSV)",
    "compare": "the database of credits, row by row against the ledger",
    "objects": "every stored video against its object in the bucket",
    "mirror": "keep an append-only copy of the streams on disk",
    "restore": "write a mirror back into empty streams",
    "checkpoint": "show and save the newest signed checkpoint, and compare the ledger with it",
    "prove": "write a proof that an entry is in the ledger, to be checked offline",
    "check-proof": "check a proof offline, with the public key alone",
}
"""One line for each command, in the order of `--help`. `load` imports the module of one of them."""

_DESCRIPTION = (
    "Checks a ledger of telecine and trusts no service: it reads every entry, applies its own rules, and says whether "
    "every credit is accounted for. It only reads (`restore` alone writes, to an empty stream)."
)
_EPILOG = """\
examples:
  telecine-audit verify                                  the ledger of the server on this machine
  telecine-audit verify --nats nats://ledger.example:4222 --nkey-seed auditor.nk --key ledger.vkey
  telecine-audit mirror ./mirror --follow                keep a copy of your own
  telecine-audit verify --from ./mirror                  work from the copy

exit codes: 0 everything holds (or the report was made), 1 a breach was found, 2 the command could not do its work"""
_STYLE: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": "rich",
    "pretty_exceptions_enable": False,
}


class Command(Protocol):
    """A module in `commands/`."""

    @property
    def Options(self) -> Callable[..., Any]:
        """A dataclass whose fields are the options, each annotated with `typer.Option` or `typer.Argument`."""

    @property
    def HELP(self) -> str:
        """What the command does."""

    @property
    def EXAMPLES(self) -> str:
        """Examples, and whatever else follows the options."""

    @property
    def run(self) -> Callable[[Any], Coroutine[Any, Any, int]]:
        """Run the command with its options: CLEAN or BREACH. Raises CommandError when the work cannot be done."""


def load(name: str) -> Command:
    """The module of a command. Only one is imported, so that help and errors come at once."""
    return cast(Command, import_module(f"telecine_auditor.commands.{name.replace('-', '_')}"))


def run(argv: Sequence[str], find: Callable[[str], Command] = load) -> int:
    """Run one command line to its end; the exit code, see `exit_codes`."""
    run = _Run(argv, find)
    return run_command(run.work, run.report)


class _Run:
    """One run of the program. Its command is known once the command line is parsed."""

    def __init__(self, argv: Sequence[str], find: Callable[[str], Command]) -> None:
        self._argv, self._find = argv, find
        self._program = _PROGRAM
        self._json_command: str | None = None

    def work(self) -> int:
        """Parse and run. Raises CommandError, or anything else for a defect."""
        name = self._argv[0] if self._argv and self._argv[0] in COMMANDS else None
        try:
            if name is None:
                _parse(_overview(), self._program, self._argv)
                return 0
            self._program = f"{_PROGRAM} {name}"
            command = self._find(name)
            options = parse(command, name, self._argv[1:])
        except typer.Exit as end:
            return end.exit_code
        except typer.TyperException as error:
            reason = " ".join(error.format_message().split())
            raise CommandError(f"{reason} (`{self._program} --help` shows the usage)") from None
        self._json_command = name if getattr(options, "json", False) else None
        return asyncio.run(_run_interruptibly(command.run(options)))

    def report(self, reason: str) -> None:
        """Print why the run failed to stderr; with `--json` also as a document to stdout, unless one was printed."""
        sys.stderr.write(f"{self._program}: {reason}\n")
        if self._json_command is not None and not getattr(sys.stdout, "used", False):
            from telecine_auditor.terminal.json_output import print_json

            from .json_documents import ERROR

            print_json(ERROR, {"command": self._json_command, "error": reason})


async def _run_interruptibly(work: Coroutine[Any, Any, int]) -> int:
    """Run `work`; an interrupt cancels it again until it ends."""
    # Up to Python 3.11 `asyncio.wait_for`, which the NATS client uses, returns an answer that arrives together with a
    # cancellation and forgets the cancellation: without the repetition Ctrl-C would end nothing.
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_CLEAN_UP_SECONDS)
        raise


def parse(command: Command, name: str, arguments: Sequence[str]) -> Any:
    """The options of a command. Raises typer.Exit after the help page, and typer.TyperException for bad usage."""
    app = typer.Typer(**_STYLE)
    app.command(name, help=command.HELP, epilog=command.EXAMPLES)(_constructor(command.Options))
    return _parse(app, f"{_PROGRAM} {name}", arguments)


def _overview() -> typer.Typer:
    """The program without the modules of its commands, for everything but running one of them."""
    app = typer.Typer(help=_DESCRIPTION, epilog=_EPILOG, **_STYLE)
    app.callback()(_overview_options)
    for name, summary in COMMANDS.items():
        app.command(name, short_help=summary)(lambda: None)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{_PROGRAM} {version('telecine-auditor')}")
        raise typer.Exit


def _overview_options(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Options of the program itself."""


def _parse(app: typer.Typer, program: str, arguments: Sequence[str]) -> Any:
    command = get_command(app)
    with command.make_context(program, [*arguments]) as context:
        return command.invoke(context)


def _constructor(options: Callable[..., Any]) -> Callable[..., Any]:
    """A function with a parameter for each field of a dataclass: typer reads options from signatures alone."""
    hints = get_type_hints(options, include_extras=True)
    own = get_annotations(options)
    parameters = [
        Parameter(field.name, Parameter.KEYWORD_ONLY, default=_default(field), annotation=hints[field.name])
        # Fields of the base class come first in a dataclass; help shows what is special to the command first.
        for field in sorted(fields(cast(Any, options)), key=lambda field: field.name not in own)
    ]

    def construct(**values: Any) -> Any:
        return options(**values)

    construct.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    vars(construct)["__signature__"] = Signature(parameters)
    return construct


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return Parameter.empty if field.default is MISSING else field.default
