"""`telecine-audit mirror`: a copy of the streams that survives the loss of NATS."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from telecine_auditor.errors import CommandError, SourceError
from telecine_auditor.mirror.metrics import write_metrics
from telecine_auditor.mirror.sync import StreamChanged, sync_stream, sync_targets
from telecine_auditor.mirror.writer import MirrorChanged, MirrorWriter, StreamWriter, open_mirror
from telecine_auditor.sources.port import CATALOG, CHECKPOINTS, LEDGER, VIDEO, Source
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import ServerOptions, StreamsOption, open_source, path_option
from telecine_auditor.terminal.progress import Progress
from telecine_auditor.terminal.tables import format_number

NAME = "mirror"

_STREAMS = (LEDGER, VIDEO, CHECKPOINTS, CATALOG)
_POLL_SECONDS = 1.0
_RETRY_SECONDS = 2.0
HELP = (
    "Copies the streams into a folder, append-only: a second run adds what is new. Every other command works from the "
    "copy with `--from DIR`, and `telecine-audit restore` writes it back into an empty server.\n\n"
    "The stream must still hold what was mirrored: a stream that was rewritten, cut or exchanged is a breach, and "
    "nothing is written. Full segments are sealed: `sha256sum -c SHA256SUMS` in the folder confirms them. A mirror may "
    "be killed at any moment; the next run removes an entry that was half written.\n\n"
    "Default streams: LEDGER, and VIDEO, CHECKPOINTS and CATALOG where they exist."
)
EXAMPLES = """\
examples:
  telecine-audit mirror ./mirror
  telecine-audit mirror ./mirror --follow                      go on until Ctrl-C
  telecine-audit mirror ./mirror --follow --metrics /var/lib/node_exporter/telecine.prom
  telecine-audit mirror ./mirror --streams LEDGER,CHECKPOINTS  no prompts: leave VIDEO out"""


@dataclass(frozen=True, kw_only=True)
class Options(ServerOptions):
    """Options of the command."""

    folder: Annotated[
        Path, typer.Argument(parser=Path, metavar="DIR", help="Folder of the mirror; made if it is missing.")
    ]
    streams: StreamsOption = None
    follow: Annotated[bool, typer.Option("--follow", help="Continue with new entries until Ctrl-C.")] = False
    metrics: Annotated[
        Path | None,
        path_option(
            "--metrics",
            help="With --follow: after each look write the time of it to FILE, for Prometheus' node_exporter (*.prom).",
        ),
    ] = None


async def run(options: Options) -> int:
    if options.follow and options.json:
        raise CommandError(
            "--json prints one document at the end, and --follow does not end: use one of them"
        )
    if options.metrics and not options.follow:
        raise CommandError("--metrics reports whether a mirror follows: it needs --follow")
    with open_mirror(options.folder) as mirror:
        try:
            if options.follow:
                await _follow(options, mirror)
            return await _once(options, mirror)
        except (MirrorChanged, StreamChanged) as changed:
            if options.json:
                print_json(NAME, {"holds": False, "streams": [], "breaches": [changed.breach.as_json()]})
            else:
                print(changed.breach)
            return BREACH


async def _once(options: Options, mirror: MirrorWriter) -> int:
    done = []
    async with open_source(options) as source:
        for stream, last in (await sync_targets(source, await _readable(source, options.streams))).items():
            writer = mirror.stream(stream)
            done.append(await _copy(source, stream, last, writer, quiet=options.json))
            writer.close()
    if options.json:
        print_json(NAME, {"holds": True, "streams": done, "breaches": []})
    return CLEAN


async def _follow(options: Options, mirror: MirrorWriter) -> NoReturn:
    """Copy new entries and reconnect after errors; a server that was never reached is an error."""
    writers: dict[str, StreamWriter] = {}
    while True:
        try:
            async with open_source(options) as source:
                for stream in await _readable(source, options.streams):
                    if stream not in writers:
                        writers[stream] = mirror.stream(stream)
                await _follow_one(source, writers, options.metrics)
        except SourceError as error:
            if not writers:
                raise
            _warn(f"{error}; trying again in {_RETRY_SECONDS:.0f} s")
            await asyncio.sleep(_RETRY_SECONDS)


async def _follow_one(source: Source, writers: dict[str, StreamWriter], metrics: Path | None) -> NoReturn:
    for stream, last in (await sync_targets(source, tuple(writers))).items():
        await _copy(source, stream, last, writers[stream])
    while True:
        if metrics is not None:
            write_metrics(metrics)
        await asyncio.sleep(_POLL_SECONDS)
        for stream, last in (await sync_targets(source, tuple(writers))).items():
            new, _ = await sync_stream(source, stream, last, writers[stream], lambda _: None)
            if new:
                print(f"{stream}  {format_number(new)} new, up to #{last}", flush=True)


async def _copy(
    source: Source, stream: str, last: int, writer: StreamWriter, *, quiet: bool = False
) -> dict[str, Any]:
    """Copy a stream once, with progress and a line of text; the figures."""
    if writer.cut:
        _warn(
            f"{stream}: {writer.cut} bytes of an incomplete entry are removed: a mirror was stopped while it wrote"
        )
    with Progress(f"mirror {stream}", last - writer.sequence, not quiet) as progress:
        new, erased = await sync_stream(source, stream, last, writer, progress.advance)
    if erased:
        _warn(f"{stream}: the last mirrored entry was since erased from the stream; the mirror keeps it")
    if not quiet:
        sealed = f", segments sealed: {writer.sealed}" if writer.sealed else ""
        print(f"{stream}  {format_number(new)} new, up to #{writer.sequence}{sealed}", flush=True)
    return {"stream": stream, "new": new, "last": writer.sequence, "sealed": writer.sealed, "cut": writer.cut}


async def _readable(source: Source, wanted: Sequence[str] | None) -> list[str]:
    """The streams to copy: those named, else LEDGER and those of the others that exist. Raises SourceError."""
    found = []
    for stream in wanted or _STREAMS:
        if wanted or stream == LEDGER or await source.has(stream):
            found.append(stream)
        else:
            _warn(f"{stream}: left out, the server has no such stream")
    return found


def _warn(text: str) -> None:
    sys.stderr.write(f"telecine-audit mirror: {text}\n")
