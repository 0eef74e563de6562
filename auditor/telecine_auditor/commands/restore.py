"""`telecine-audit restore`: writes a mirror back into empty streams."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from telecine_auditor.breaches import Breach, BreachKind
from telecine_auditor.errors import CommandError, SourceError
from telecine_auditor.mirror.format import list_streams
from telecine_auditor.mirror.restore import Restore, RestoreMismatch, RestoreResult
from telecine_auditor.mirror.source import MirrorSource
from telecine_auditor.sources.nats import NatsSource
from telecine_auditor.sources.port import LEDGER
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import ServerOptions, StreamsOption
from telecine_auditor.terminal.progress import Progress
from telecine_auditor.terminal.tables import format_number

NAME = "restore"

HELP = (
    "Writes the streams of a mirror into a server that has lost them: same subjects, headers and bodies, and the same "
    "sequences. Then it reads everything back and compares. Stop all services first, and create the streams with "
    "`telecine provision`; a stream that holds anything else is not changed. After an interruption run it again.\n\n"
    "It is the one command that writes, so it needs an identity that may publish to the streams and, for gaps in "
    "VIDEO, may purge and delete there. The times of storage are the server's, and new."
)
EXAMPLES = """\
examples:
  telecine-audit restore ./mirror --nats nats://127.0.0.1:4222
  telecine-audit restore ./mirror --streams LEDGER --creds operator.creds"""


@dataclass(frozen=True, kw_only=True)
class Options(ServerOptions):
    """Options of the command."""

    folder: Annotated[Path, typer.Argument(parser=Path, metavar="DIR", help="Folder of the mirror.")]
    streams: StreamsOption = None
    renumber: Annotated[
        bool,
        typer.Option(
            "--renumber",
            help="Close gaps: entries after them get other sequences, and lose their expected sequences.",
        ),
    ] = False


async def run(options: Options) -> int:
    """Restore every stream."""
    mirror = MirrorSource(options.folder, _refuse)
    streams = options.streams or list_streams(options.folder)
    if not streams:
        raise CommandError(f"the mirror at {options.folder} has no streams")
    server = await NatsSource.open(options.server())
    done: list[RestoreResult] = []
    try:
        for stream in streams:
            done.append(await _restored(options, mirror, server, stream))
    except RestoreMismatch as error:
        return _breached(options, done, Breach(BreachKind.STREAM_CHANGED, str(error), stream, error.sequence))
    finally:
        await server.close()
    if options.json:
        print_json(NAME, {"holds": True, "streams": [_document(one) for one in done], "breaches": []})
    return CLEAN


async def _restored(options: Options, mirror: MirrorSource, server: NatsSource, stream: str) -> RestoreResult:
    restore = Restore(mirror, server, stream, renumber=options.renumber)
    # Every entry twice: written, and read back.
    with Progress(f"restore {stream}", 2 * await mirror.last(stream), not options.json) as progress:
        done = await restore.run(progress.advance)
    if not options.json:
        print(_line(done))
    return done


def _line(done: RestoreResult) -> str:
    parts = [f"{done.stream}  {format_number(done.written)} written"]
    if done.found:
        parts.append(f"{format_number(done.found)} existed")
    if done.left_empty:
        parts.append(f"{format_number(done.left_empty)} sequences left empty")
    parts.append(f"up to #{done.last}, read back and the same")
    if done.stream == LEDGER:
        parts.append(f"root {base64.b64encode(done.root).decode()}")
    return ", ".join(parts)


def _document(done: RestoreResult) -> dict[str, Any]:
    return {
        "stream": done.stream,
        "found": done.found,
        "written": done.written,
        "left_empty": done.left_empty,
        "last": done.last,
        "root": base64.b64encode(done.root).decode(),
    }


def _breached(options: Options, done: list[RestoreResult], breach: Breach) -> int:
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
        f"the mirror cannot be restored, {breach.message}: `telecine-audit verify --from` says more"
    )
