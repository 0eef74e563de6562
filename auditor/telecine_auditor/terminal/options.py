"""Options that commands share: where the entries are read, which identity reads them, and which keys are trusted."""

import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from telecine_auditor.breaches import Breach
from telecine_auditor.errors import SourceError
from telecine_auditor.sources.port import Source

__all__ = [
    "JsonOption",
    "KeyOption",
    "ServerOptions",
    "SourceOptions",
    "StreamsOption",
    "checked",
    "open_source",
    "path_option",
]

if TYPE_CHECKING:
    from telecine_auditor.sources.server import Server

T = TypeVar("T")


def checked(parse: Callable[[str], T]) -> Callable[[str | T], T]:
    """The parser of an option: a ValueError becomes an error of usage with the same message."""

    def parse_option(text: str | T) -> T:
        try:
            # typer passes defaults to parsers as well.
            return parse(text) if isinstance(text, str) else text
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parse_option


def _parse_streams(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not names or not all(re.fullmatch("[A-Za-z0-9_-]+", name) for name in names):
        raise ValueError(f"invalid stream names {text!r}, expected e.g. LEDGER,CHECKPOINTS")
    return names


StreamsOption = Annotated[
    Any,
    typer.Option("--streams", parser=checked(_parse_streams), metavar="A,B", help="Streams; default: all."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for machines.")]
KeyOption = Annotated[
    list[str],
    typer.Option(
        "--key",
        metavar="VKEY",
        help="Public key that signed checkpoints, <name>+<id>+<base64>, or a file with one a line; may be repeated.",
        show_default=False,
    ),
]


def path_option(name: str, help: str, metavar: str = "FILE", **settings: Any) -> Any:
    """An option that names a file. typer itself would refuse an existing file that cannot be read, as for `--out`."""
    return typer.Option(name, parser=Path, metavar=metavar, help=help, **settings)


def _source(name: str, metavar: str, help: str, **settings: Any) -> Any:
    return typer.Option(name, metavar=metavar, help=help, rich_help_panel="Where the entries are", **settings)


def _source_file(name: str, help: str) -> Any:
    return _source(name, "FILE", help, parser=Path)


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Which NATS server, and with which identity; and `--json`."""

    nats: Annotated[
        str,
        _source("--nats", "URL", "NATS server, several with commas between.", envvar="TELECINE_NATS_URL"),
    ] = "nats://127.0.0.1:4222"
    nkey_seed: Annotated[Path | None, _source_file("--nkey-seed", "File with the seed of the nkey.")] = None
    creds: Annotated[Path | None, _source_file("--creds", "Credentials file of a JWT user.")] = None
    user: Annotated[str | None, _source("--user", "NAME", "User name, with --password-file.")] = None
    password_file: Annotated[
        Path | None, _source_file("--password-file", "File with the user's password.")
    ] = None
    tls_ca: Annotated[
        Path | None,
        _source_file("--tls-ca", "Certificates of the authorities that may have signed the server's."),
    ] = None
    inbox: Annotated[
        str | None,
        _source(
            "--inbox",
            "PREFIX",
            "Prefix of the subjects on which an identity other than the auditor's may receive replies,"
            " e.g. _INBOX.operator.",
        ),
    ] = None
    json: JsonOption = False

    @property
    def mirror_folder(self) -> Path | None:
        """The mirror to read in place of the server."""
        return None

    def server(self) -> "Server":
        """The server and the identity."""
        from telecine_auditor.sources.server import Server

        return Server(
            url=self.nats,
            nkey_seed=self.nkey_seed,
            creds=self.creds,
            user=self.user,
            password_file=self.password_file,
            tls_ca=self.tls_ca,
            inbox=self.inbox,
        )


@dataclass(frozen=True, kw_only=True)
class SourceOptions(ServerOptions):
    """A NATS server or a mirror."""

    mirror: Annotated[
        Path | None,
        _source("--from", "DIR", "Read this mirror, and connect to no server.", parser=Path),
    ] = None

    @property
    def mirror_folder(self) -> Path | None:
        """The mirror to read in place of the server."""
        return self.mirror


def _refuse(breach: Breach) -> None:
    raise SourceError(f"cannot work from the mirror, {breach.message}: `telecine-audit verify` says more")


@asynccontextmanager
async def open_source(
    options: ServerOptions, on_breach: Callable[[Breach], None] = _refuse
) -> AsyncIterator[Source]:
    """The source that the options name; closed at the end.

    A mirror that was changed is reported to `on_breach` and read as far as possible; without `on_breach` it is a
    SourceError. Raises SourceError when the source cannot be opened.
    """
    source: Source
    if options.mirror_folder is not None:
        from telecine_auditor.mirror.source import MirrorSource

        source = MirrorSource(options.mirror_folder, on_breach)
    else:
        from telecine_auditor.sources.nats import NatsSource

        source = await NatsSource.open(options.server())
    try:
        yield source
        if on_breach is _refuse:
            sys.stderr.writelines(f"left out: {what}\n" for what in source.unread)
    finally:
        await source.close()
