"""`telecine-audit checkpoint`: the newest signed checkpoint, and whether the ledger is what it says."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from telecine_auditor.breaches import Breach
from telecine_auditor.errors import CommandError
from telecine_auditor.sources.port import LEDGER, Source
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import KeyOption, SourceOptions, open_source, path_option
from telecine_auditor.terminal.output_files import text_file
from telecine_auditor.terminal.progress import Progress
from telecine_auditor.terminal.tables import render_table
from telecine_auditor.transparency.checkpoints import SignedCheckpoint, read_keys, read_published
from telecine_auditor.transparency.tree_check import TreeCheck

NAME = "checkpoint"

HELP = (
    "Reads the signed checkpoints of the ledger, verifies their signatures with your key, reads the ledger and says "
    "whether it is what they were signed over. Keep a saved checkpoint where only you can change it: with "
    "`telecine-audit verify --checkpoint FILE` it proves later that nothing before it was rewritten."
)
EXAMPLES = """\
examples:
  telecine-audit checkpoint --key ledger.vkey --out ledger.checkpoint
  telecine-audit checkpoint --key ledger.vkey --all      every checkpoint that was ever signed
  telecine-audit checkpoint --key ledger.vkey --from ./mirror"""


@dataclass(frozen=True, kw_only=True)
class Options(SourceOptions):
    """Options of the command."""

    out: Annotated[
        Path | None,
        path_option("--out", help="Save the newest checkpoint as it was signed."),
    ] = None
    all: Annotated[bool, typer.Option("--all", help="Show all checkpoints, not only the newest.")] = False
    key: KeyOption = field(default_factory=list)


async def run(options: Options) -> int:
    """Show the checkpoint and whether the ledger confirms it."""
    keys, breaches = read_keys(options.key), list[Breach]()
    async with open_source(options, breaches.append) as source:
        found = (await read_published(source, keys, breaches.append)).checkpoints
        if not found and not breaches:
            raise CommandError("there is no signed checkpoint yet: credits signs them when it has a key")
        shown = found if options.all else found[-1:]
        if found and options.out:
            with text_file(options.out) as file:
                file.write(found[-1].note)
        confirmed = await _compared(source, shown, breaches, quiet=options.json)
    if options.json:
        print_json(NAME, _document(shown, confirmed, breaches))
    else:
        print("\n".join(_text(options, shown, confirmed, breaches)))
    return BREACH if breaches else CLEAN


async def _compared(
    source: Source, checkpoints: Sequence[SignedCheckpoint], breaches: list[Breach], *, quiet: bool
) -> list[SignedCheckpoint]:
    """The checkpoints that the ledger confirms."""
    check = TreeCheck(checkpoints, breaches.append)
    upto = min(await source.last(LEDGER), max((one.checkpoint.size for one in checkpoints), default=0))
    with Progress("read LEDGER", upto, not quiet) as progress:
        async for entries in source.batches(LEDGER, upto=upto):
            check.take(entries)
            progress.advance(len(entries))
    check.finish()
    return check.confirmed


def _text(
    options: Options,
    shown: Sequence[SignedCheckpoint],
    confirmed: Sequence[SignedCheckpoint],
    breaches: Sequence[Breach],
) -> list[str]:
    if options.all:
        rows = [(one.checkpoint.size, _root(one), one.place, _verdict(one, confirmed)) for one in shown]
        lines = render_table(("entries", "root", "where", "the ledger"), rows)
    else:
        lines = [line for one in shown for line in (one.note, f"{one.place}: {_verdict(one, confirmed)}")]
    if options.out and shown:
        lines.append(f"saved: {options.out}")
    if not options.key:
        lines.append("No signature was verified: give the log's public key with --key.")
    return lines + [str(breach) for breach in breaches]


def _verdict(one: SignedCheckpoint, confirmed: Sequence[SignedCheckpoint]) -> str:
    signed = f"signed by {one.signed_by}, " if one.signed_by else ""
    return signed + ("the ledger has this root" if one in confirmed else "THE LEDGER DOES NOT HAVE THIS ROOT")


def _root(one: SignedCheckpoint) -> str:
    return base64.b64encode(one.checkpoint.root).decode()


def _document(
    shown: Sequence[SignedCheckpoint], confirmed: Sequence[SignedCheckpoint], breaches: Sequence[Breach]
) -> dict[str, Any]:
    return {
        "holds": not breaches,
        "checkpoints": [
            {
                "origin": one.checkpoint.origin,
                "size": one.checkpoint.size,
                "root": _root(one),
                "signed_by": one.signed_by or None,
                "place": one.place,
                "confirmed": one in confirmed,
                "note": one.note,
            }
            for one in shown
        ],
        "breaches": [breach.as_json() for breach in breaches],
    }
