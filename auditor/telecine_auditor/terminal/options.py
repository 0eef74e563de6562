"""Options that commands share: where the entries come from, and which keys are trusted."""

import argparse
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from telecine_auditor.breaches import Breach
from telecine_auditor.sources.port import Source, SourceError

__all__ = [
    "add_json_option",
    "add_key_option",
    "add_server_options",
    "add_source_options",
    "opened",
    "server_of",
]

if TYPE_CHECKING:
    from telecine_auditor.sources.server import Server

_DEFAULT_URL = "nats://127.0.0.1:4222"


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Options that say where to read, for `opened`; and `--json`."""
    group = add_server_options(parser)
    group.add_argument(
        "--from", dest="mirror", type=Path, metavar="DIR", help="read this mirror and ask no server"
    )
    add_json_option(parser)


def add_server_options(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    """Options that say which NATS server, and who asks."""
    group = parser.add_argument_group("where the entries are")
    group.add_argument(
        "--nats",
        metavar="URL",
        default=os.environ.get("TELECINE_NATS_URL") or _DEFAULT_URL,
        help="NATS server, several with commas between (default: TELECINE_NATS_URL, now %(default)s)",
    )
    group.add_argument(
        "--nkey-seed", type=Path, metavar="FILE", help="file with the seed of the nkey to show"
    )
    group.add_argument("--creds", type=Path, metavar="FILE", help="credentials file of a JWT user")
    group.add_argument("--user", metavar="NAME", help="user name, with --password-file")
    group.add_argument("--password-file", type=Path, metavar="FILE", help="file with the user's password")
    group.add_argument(
        "--tls-ca", type=Path, metavar="FILE", help="certificates that the server's must be from"
    )
    group.add_argument(
        "--inbox",
        metavar="PREFIX",
        help="where an identity that is not the auditor's may hear answers, e.g. _INBOX.operator",
    )
    return group


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """`--json`: one JSON document on stdout in place of text for people."""
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, for machines")


def add_key_option(parser: argparse.ArgumentParser) -> None:
    """`--key`, once or more; for `checkpoint_reading.read_keys(options.key)`."""
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="VKEY",
        help="public key that signed checkpoints, <name>+<id>+<base64>, or a file with one a line; may be repeated",
    )


def add_streams_option(parser: argparse.ArgumentParser, help: str) -> None:
    """`--streams A,B`: a list of names, None when it is not given."""
    parser.add_argument("--streams", type=_names, metavar="A,B", help=help)


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if not names or not all(re.fullmatch("[A-Za-z0-9_-]+", name) for name in names):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of stream names with commas between")
    return names


def _refuse(breach: Breach) -> None:
    raise SourceError(f"the mirror can't be worked from, {breach.says}: `telecine-audit verify` says more")


@asynccontextmanager
async def opened(
    options: argparse.Namespace, on_breach: Callable[[Breach], None] = _refuse
) -> AsyncIterator[Source]:
    """The source that the options name, closed at the end.

    A mirror that was changed goes to `on_breach`, and reading goes on where it can; without it that is a SourceError.
    Raises SourceError when the source can't be opened.
    """
    source: Source
    if options.mirror is not None:
        from telecine_auditor.mirror.source import MirrorSource

        source = MirrorSource(options.mirror, on_breach)
    else:
        from telecine_auditor.sources.nats import NatsSource

        source = await NatsSource.open(server_of(options))
    try:
        yield source
        if on_breach is _refuse:
            sys.stderr.writelines(f"left out: {what}\n" for what in source.unread)
    finally:
        await source.close()


def server_of(options: argparse.Namespace) -> "Server":
    """The server that the options of `add_server_options` name."""
    from telecine_auditor.sources.server import Server

    return Server(
        url=options.nats,
        nkey_seed=options.nkey_seed,
        creds=options.creds,
        user=options.user,
        password_file=options.password_file,
        tls_ca=options.tls_ca,
        inbox=options.inbox,
    )
