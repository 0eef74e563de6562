"""`telecine-audit restore`: a mirror written back into empty streams."""

import argparse
import base64
from pathlib import Path
from typing import Any

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.mirror.format import streams_in
from telecine_auditor.mirror.restore import Differs, Restore, Restored
from telecine_auditor.mirror.source import MirrorSource
from telecine_auditor.sources.nats import NatsSource
from telecine_auditor.sources.port import LEDGER, SourceError
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN, CommandError
from telecine_auditor.terminal.options import (
    add_json_option,
    add_server_options,
    add_streams_option,
    server_of,
)
from telecine_auditor.terminal.tables import Progress, number, print_json

NAME = "restore"
SUMMARY = "write a mirror back into empty streams"

_DESCRIPTION = """\
Writes the streams of a mirror into a server that has lost them: same subjects, headers and bodies, and the same
sequences. Then it reads everything back and compares. Stop all services first, and make the streams with
`telecine provision`; a stream that holds anything else is left alone. When it was interrupted, run it again.

It is the one command that writes, so it needs an identity that may publish to the streams, and, for gaps in VIDEO,
may purge and delete there. The server's own times of storage are new."""
_EPILOG = """\
examples:
  telecine-audit restore ./mirror --nats nats://127.0.0.1:4222
  telecine-audit restore ./mirror --streams LEDGER --creds operator.creds"""


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the mirror")
    add_streams_option(parser, "streams to restore (default: all that the mirror has)")
    parser.add_argument(
        "--renumber",
        action="store_true",
        help="close gaps: entries behind them get other sequences, and lose what they expected of sequences",
    )
    add_server_options(parser)
    add_json_option(parser)


async def run(options: argparse.Namespace) -> int:
    """Restore every stream."""
    mirror = MirrorSource(options.folder, _refuse)
    streams = options.streams or streams_in(options.folder)
    if not streams:
        raise CommandError(f"the mirror at {options.folder} has no streams")
    server = await NatsSource.open(server_of(options))
    done: list[Restored] = []
    try:
        for stream in streams:
            done.append(await _restored(options, mirror, server, stream))
    except Differs as error:
        return _breached(options, done, Breach(BreachKind.STREAM_CHANGED, str(error), stream, error.sequence))
    finally:
        await server.close()
    if options.json:
        print_json(NAME, {"holds": True, "streams": [_document(one) for one in done], "breaches": []})
    return CLEAN


async def _restored(
    options: argparse.Namespace, mirror: MirrorSource, server: NatsSource, stream: str
) -> Restored:
    restore = Restore(mirror, server, stream, renumber=options.renumber)
    # Every entry twice: written, and read back.
    with Progress(f"restore {stream}", 2 * await mirror.last(stream), not options.json) as progress:
        done = await restore.run(progress.advance)
    if not options.json:
        print(_line(done))
    return done


def _line(done: Restored) -> str:
    parts = [f"{done.stream}  {number(done.written)} written"]
    if done.found:
        parts.append(f"{number(done.found)} were there")
    if done.left_empty:
        parts.append(f"{number(done.left_empty)} sequences left empty")
    parts.append(f"up to #{done.last}, read back and the same")
    if done.stream == LEDGER:
        parts.append(f"root {base64.b64encode(done.root).decode()}")
    return ", ".join(parts)


def _document(done: Restored) -> dict[str, Any]:
    return {
        "stream": done.stream,
        "found": done.found,
        "written": done.written,
        "left_empty": done.left_empty,
        "last": done.last,
        "root": base64.b64encode(done.root).decode(),
    }


def _breached(options: argparse.Namespace, done: list[Restored], breach: Breach) -> int:
    if options.json:
        print_json(
            NAME,
            {"holds": False, "streams": [_document(one) for one in done], "breaches": [breach.as_json()]},
        )
    else:
        print(breach)
    return BREACH


def _refuse(breach: Breach) -> None:
    raise SourceError(
        f"the mirror can't be restored, {breach.says}: `telecine-audit verify --from` says more"
    )
