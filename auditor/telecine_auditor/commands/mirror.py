"""`telecine-audit mirror`: a copy of the streams that survives the loss of NATS."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from telecine_auditor.mirror.metrics import write_metrics
from telecine_auditor.mirror.sync import StreamChanged, bounds, copied
from telecine_auditor.mirror.writer import MirrorChanged, MirrorWriter, StreamWriter, opened_for_writing
from telecine_auditor.sources.port import CHECKPOINTS, LEDGER, VIDEO, Source, SourceError
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN, CommandError
from telecine_auditor.terminal.options import add_json_option, add_server_options, add_streams_option, opened
from telecine_auditor.terminal.tables import Progress, number, print_json

NAME = "mirror"
SUMMARY = "keep an append-only copy of the streams on disk"

_STREAMS = (LEDGER, VIDEO, CHECKPOINTS)
_POLL_SECONDS = 1.0
_RETRY_SECONDS = 2.0
_DESCRIPTION = """\
Copies the streams into a folder, append-only: a second run adds what is new. Every other command works from
the copy with `--from DIR`, and `telecine-audit restore` writes it back into an empty server.

What was mirrored must still be what the stream holds: a stream that was rewritten, cut or exchanged is a breach,
and nothing is written. Full segments are sealed: `sha256sum -c SHA256SUMS` in the folder confirms them.
A mirror may be killed at any moment; the next run cuts off what was half written."""
_EPILOG = """\
examples:
  telecine-audit mirror ./mirror
  telecine-audit mirror ./mirror --follow                      go on until Ctrl-C
  telecine-audit mirror ./mirror --follow --metrics /var/lib/node_exporter/telecine.prom
  telecine-audit mirror ./mirror --streams LEDGER,CHECKPOINTS  no prompts: leave VIDEO out"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of the mirror; made if it is not there"
    )
    words = "streams to copy (default: LEDGER, and VIDEO and CHECKPOINTS where they are there)"
    add_streams_option(parser, words)
    parser.add_argument("--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    parser.add_argument(
        "--metrics",
        type=Path,
        metavar="FILE",
        help="with --follow: after each look write when it was to FILE, for Prometheus' node_exporter (*.prom)",
    )
    add_server_options(parser)
    add_json_option(parser)
    parser.set_defaults(mirror=None)


async def run(options: argparse.Namespace) -> int:
    if options.follow and options.json:
        raise CommandError(
            "--json is one document at the end, and --follow has no end: leave one of them out"
        )
    if options.metrics and not options.follow:
        raise CommandError("--metrics tells whether a mirror follows: it needs --follow")
    with opened_for_writing(options.folder) as mirror:
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


async def _once(options: argparse.Namespace, mirror: MirrorWriter) -> int:
    done = []
    async with opened(options) as source:
        for stream, last in (await bounds(source, await _readable(source, options.streams))).items():
            writer = mirror.stream(stream)
            done.append(await _copy(source, stream, last, writer, quiet=options.json))
            writer.close()
    if options.json:
        print_json(NAME, {"holds": True, "streams": done, "breaches": []})
    return CLEAN


async def _follow(options: argparse.Namespace, mirror: MirrorWriter) -> NoReturn:
    """Copy what comes, whatever happens to the server; a server that was never reached is an error."""
    writers: dict[str, StreamWriter] = {}
    while True:
        try:
            async with opened(options) as source:
                for stream in await _readable(source, options.streams):
                    if stream not in writers:
                        writers[stream] = mirror.stream(stream)
                await _follow_one(source, writers, options.metrics)
        except SourceError as error:
            if not writers:
                raise
            _tell(f"{error}; trying again in {_RETRY_SECONDS:.0f} s")
            await asyncio.sleep(_RETRY_SECONDS)


async def _follow_one(source: Source, writers: dict[str, StreamWriter], metrics: Path | None) -> NoReturn:
    for stream, last in (await bounds(source, tuple(writers))).items():
        await _copy(source, stream, last, writers[stream])
    while True:
        if metrics is not None:
            write_metrics(metrics)
        await asyncio.sleep(_POLL_SECONDS)
        for stream, last in (await bounds(source, tuple(writers))).items():
            new, _ = await copied(source, stream, last, writers[stream], lambda _: None)
            if new:
                print(f"{stream}  {number(new)} new, up to #{last}", flush=True)


async def _copy(
    source: Source, stream: str, last: int, writer: StreamWriter, *, quiet: bool = False
) -> dict[str, Any]:
    """Copy a stream once, with progress and words; the figures."""
    if writer.cut:
        _tell(f"{stream}: {writer.cut} bytes that were half written when a mirror was stopped are cut off")
    with Progress(f"mirror {stream}", last - writer.sequence, not quiet) as progress:
        new, erased = await copied(source, stream, last, writer, progress.advance)
    if erased:
        _tell(
            f"{stream}: the entry that was mirrored last was erased from the stream since; the mirror keeps it"
        )
    if not quiet:
        sealed = f", segments sealed: {writer.sealed}" if writer.sealed else ""
        print(f"{stream}  {number(new)} new, up to #{writer.sequence}{sealed}", flush=True)
    return {"stream": stream, "new": new, "last": writer.sequence, "sealed": writer.sealed, "cut": writer.cut}


async def _readable(source: Source, wanted: Sequence[str] | None) -> list[str]:
    """The streams to copy: those that are wanted, else LEDGER and what else is there. Raises SourceError."""
    found = []
    for stream in wanted or _STREAMS:
        if wanted or stream == LEDGER or await source.has(stream):
            found.append(stream)
        else:
            _tell(f"{stream}: left out, the server has no such stream")
    return found


def _tell(words: str) -> None:
    sys.stderr.write(f"telecine-audit mirror: {words}\n")
