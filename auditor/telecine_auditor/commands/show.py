"""`telecine-audit show`: one entry with every byte of it."""

import base64
import json
import sys
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from telecine_auditor.errors import CommandError
from telecine_auditor.event_descriptions import describe_body
from telecine_auditor.sources.message import StoredMessage
from telecine_auditor.sources.port import Source
from telecine_auditor.terminal.exit_codes import CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import SourceOptions, open_source
from telecine_auditor.terminal.period_options import parse_sequence
from telecine_auditor.terminal.sanitizer import one_line, printable_json
from telecine_auditor.timestamps import format_time, from_microseconds
from telecine_contracts.transparency import leaf_hash

NAME = "show"
_HEX_WIDTH = 16


HELP = "One entry as its stream holds it, and what it did in words."
EXAMPLES = """\
examples:
  telecine-audit show 1207
  telecine-audit show 88 --stream VIDEO --json"""


@dataclass(frozen=True, kw_only=True)
class Options(SourceOptions):
    """Options of the command."""

    sequence: Annotated[
        int, typer.Argument(metavar="SEQUENCE", parser=parse_sequence, help="Its sequence in the stream.")
    ]
    stream: Annotated[
        Literal["LEDGER", "VIDEO", "CHECKPOINTS", "CATALOG"], typer.Option("--stream", help="Which stream.")
    ] = "LEDGER"


async def run(options: Options) -> int:
    """Print the entry."""
    async with open_source(options) as source:
        entry = await _find(source, options.stream, options.sequence)
    body = _Body(entry.body)
    if options.json:
        print_json(NAME, _document(options.stream, entry, body))
    else:
        sys.stdout.write("\n".join(_text(options.stream, entry, body)) + "\n")
    return CLEAN


class _Body:
    """A body as far as it can be decoded: `fields` of a JSON object, and `text` of UTF-8, each None otherwise."""

    def __init__(self, body: bytes) -> None:
        self.raw = body
        self.fields: dict[str, Any] | None = None
        self.text: str | None = None
        try:
            self.text = body.decode()
            value = json.loads(self.text, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            return
        if isinstance(value, dict):
            self.fields = value

    def lines(self) -> list[str]:
        """Lines to print."""
        if self.fields is not None:
            return printable_json(self.fields).split("\n")
        if self.text is not None:
            return [one_line(line) for line in self.text.split("\n")]
        return [_hex_line(self.raw, at) for at in range(0, len(self.raw), _HEX_WIDTH)]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. One that names a field twice is shown as text, because parsers disagree about its value."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("duplicate field")
    return fields


def _hex_line(raw: bytes, at: int) -> str:
    part = raw[at : at + _HEX_WIDTH]
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
    return f"{at:06x}  {part.hex(' '):<{_HEX_WIDTH * 3 - 1}}  {shown}"


async def _find(source: Source, stream: str, wanted: int) -> StoredMessage:
    if not await source.has(stream):
        raise CommandError(f"there is no stream {stream} here")
    last = await source.last(stream)
    if wanted > last:
        raise CommandError(f"there is no entry {wanted}: {stream} ends at {last}")
    async for batch in source.batches(stream, after=wanted - 1, upto=wanted):
        for entry in batch:
            return entry
    raise CommandError(f"entry {wanted} of {stream} is missing, although the stream ends at {last}")


def _words(entry: StoredMessage, body: _Body) -> str:
    if body.fields is None:
        return "unknown: the body is not a JSON object"
    return describe_body(entry.subject.rpartition(".")[2], body.fields)


def _stored(entry: StoredMessage) -> str:
    return format_time(from_microseconds(entry.stored_at // 1000))


def _headers(entry: StoredMessage) -> list[tuple[str, str]]:
    lines = [line.partition(":") for line in entry.head.decode("utf-8", "replace").split("\r\n") if line]
    return [(name, value.strip()) for name, _, value in lines]


def _text(stream: str, entry: StoredMessage, body: _Body) -> list[str]:
    facts = [
        ("entry", f"{stream}#{entry.sequence}"),
        ("did", _words(entry, body)),
        ("subject", entry.subject),
        ("stored", _stored(entry)),
        ("leaf hash", leaf_hash(entry.stated).hex()),
    ]
    headers = [f"  {one_line(name)}: {one_line(value)}" for name, value in _headers(entry)]
    kind = "JSON" if body.fields is not None else "text" if body.text is not None else "binary"
    return [
        *(f"{name:<10} {one_line(value)}" for name, value in facts),
        "headers",
        *headers,
        f"body ({kind}, {len(entry.body)} bytes)",
        *(f"  {line}" for line in body.lines()),
    ]


def _document(stream: str, entry: StoredMessage, body: _Body) -> dict[str, Any]:
    return {
        "stream": stream,
        "sequence": entry.sequence,
        "did": _words(entry, body),
        "subject": entry.subject,
        "stored": _stored(entry),
        "headers": [list(header) for header in _headers(entry)],
        "body": body.fields if body.fields is not None else body.text,
        "bytes": base64.b64encode(entry.body).decode(),
        "leaf_hash": leaf_hash(entry.stated).hex(),
    }
