"""`telecine-audit`: which commands there are, and how each of them ends."""

import argparse
import asyncio
import sys
from collections.abc import Coroutine, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any, NoReturn, Protocol

from telecine_auditor.commands import (
    balances,
    check_proof,
    checkpoint,
    compare,
    export,
    liability,
    mirror,
    objects,
    prove,
    reconcile,
    restore,
    show,
    statement,
    trial_balance,
    verify,
)
from telecine_auditor.terminal.exit_codes import FAILED, ended
from telecine_auditor.terminal.tables import print_json

from .json_documents import ERROR

__all__ = ["COMMANDS", "Command", "parser", "run"]

_CLEAN_UP_SECONDS = 2.0
"""What a command takes at most to end in order."""

_DESCRIPTION = """\
Checks a ledger of telecine and takes nothing on trust: it reads every entry, applies rules of its own,
and says whether every credit is accounted for. It only reads (`restore` alone writes, to an empty stream)."""

_EPILOG = """\
examples:
  telecine-audit verify                                          the ledger of the server on this machine
  telecine-audit verify --nats nats://ledger.example:4222 --nkey-seed auditor.nk --key ledger.vkey
  telecine-audit mirror ./mirror --follow                        keep a copy of your own
  telecine-audit verify --from ./mirror                          work from the copy

exit codes: 0 everything holds (or the report was made), 1 a breach was found, 2 the command could not do its work"""


class Command(Protocol):
    """What a module in `commands/` has. `SUMMARY` is its one line in the list of commands."""

    @property
    def NAME(self) -> str: ...

    @property
    def SUMMARY(self) -> str: ...

    def add(self, parser: argparse.ArgumentParser) -> None:
        """Say in `parser` what the command does (description, examples as epilog) and which options it has."""

    async def run(self, options: argparse.Namespace) -> int:
        """Do it. CLEAN or BREACH; raises CommandError (SourceError is one) when the work cannot be done."""


COMMANDS: tuple[Command, ...] = (
    verify,
    balances,
    statement,
    trial_balance,
    liability,
    show,
    reconcile,
    export,
    compare,
    objects,
    mirror,
    restore,
    checkpoint,
    prove,
    check_proof,
)
"""Every command, in the order in which `--help` lists them. Their modules import what is heavy where it is used."""


class _Parser(argparse.ArgumentParser):
    """Mistakes are one sentence; the page of help is for those who ask."""

    def error(self, message: str) -> NoReturn:
        self.exit(FAILED, f"{self.prog}: {message} (`{self.prog} --help` tells more)\n")


def run(argv: Sequence[str], commands: Sequence[Command] = COMMANDS) -> int:
    """Run one command line to its end; the exit code, see `exit_codes`."""
    run = _Run(argv, commands)
    return ended(run.work, run.report)


class _Run:
    """One run of the program. Its command is known once the command line is parsed."""

    def __init__(self, argv: Sequence[str], commands: Sequence[Command]) -> None:
        self._argv, self._commands = argv, commands
        self._program = "telecine-audit"
        self._command: str | None = None

    def work(self) -> int:
        """Parse and do. Raises SystemExit for `--help` and bad arguments, CommandError, anything else."""
        options = parser(self._commands).parse_args(self._argv)
        command: Command = options.command
        self._program = f"telecine-audit {command.NAME}"
        self._command = command.NAME if getattr(options, "json", False) else None
        return asyncio.run(_interruptible(command.run(options)))

    def report(self, reason: str) -> None:
        """Why it failed, on stderr; with `--json` as a document on stdout, too, if the command printed none."""
        sys.stderr.write(f"{self._program}: {reason}\n")
        if self._command is not None and not getattr(sys.stdout, "used", False):
            print_json(ERROR, {"command": self._command, "error": reason})


async def _interruptible(work: Coroutine[Any, Any, int]) -> int:
    """Run `work`; an interrupt is repeated until it is heard.

    Up to Python 3.11 `asyncio.wait_for`, which the NATS client uses, returns an answer that came in the same moment
    as a cancellation, and forgets the cancellation: Ctrl-C would end nothing.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_CLEAN_UP_SECONDS)
        raise


def parser(commands: Sequence[Command] = COMMANDS) -> argparse.ArgumentParser:
    """What the command line understands; `command` in its result is what to run."""
    page = partial(argparse.RawDescriptionHelpFormatter, max_help_position=28)
    whole = _Parser(prog="telecine-audit", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=page)
    known = f"telecine-audit {version('telecine-auditor')}"
    whole.add_argument("--version", action="version", version=known, help="show the version and exit")
    listed = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in commands:
        described = listed.add_parser(command.NAME, help=command.SUMMARY, formatter_class=page)
        described.set_defaults(command=command)
        command.add(described)
    return whole
