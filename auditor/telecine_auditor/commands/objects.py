"""`telecine-audit objects`: whether every stored video is in the bucket as it was stored."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from telecine_auditor.audit.object_checks import ObjectChecks
from telecine_auditor.audit.object_store import ObjectStore, ObjectStoreSettings
from telecine_auditor.breaches import BreachList
from telecine_auditor.errors import CommandError
from telecine_auditor.terminal.exit_codes import BREACH, CLEAN
from telecine_auditor.terminal.json_output import print_json
from telecine_auditor.terminal.options import SourceOptions, open_source, path_option
from telecine_auditor.terminal.sanitizer import one_line
from telecine_auditor.terminal.tables import format_number

NAME = "objects"
_KEPT = 1000
_SHOWN_UNKNOWN = 10


HELP = (
    "Compares every VideoStored on VIDEO with the object that it names: does it exist, has it the size that was stored "
    "and, with --deep, the SHA-256. Objects without an event are counted and are not a breach: copies in progress, and "
    "videos of accounts that were erased from VIDEO. Only lists and reads."
)
EXAMPLES = """\
examples:
  telecine-audit objects --endpoint https://ACCOUNT.r2.cloudflarestorage.com --access-key KEY \\
    --secret-key-file s3_secret_key --nkey-seed auditor.nk
  telecine-audit objects --from ./mirror --bucket copy-of-videos --deep --json

exit codes: 0 every object is as it was stored, 1 one is missing or differs, 2 the check could not be done"""
_PANEL = "Where the objects are"


@dataclass(frozen=True, kw_only=True)
class Options(SourceOptions):
    """Options of the command."""

    endpoint: Annotated[
        str,
        typer.Option(
            "--endpoint",
            metavar="URL",
            envvar="TELECINE_S3_ENDPOINT",
            help="The object store.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = ""
    region: Annotated[
        str,
        typer.Option(
            "--region",
            metavar="NAME",
            envvar="TELECINE_S3_REGION",
            help="Its region.",
            rich_help_panel=_PANEL,
        ),
    ] = "auto"
    access_key: Annotated[
        str,
        typer.Option(
            "--access-key",
            metavar="ID",
            envvar="TELECINE_S3_ACCESS_KEY",
            help="Key id that may list and read.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = ""
    secret_key_file: Annotated[
        Path | None,
        path_option(
            "--secret-key-file",
            envvar="TELECINE_S3_SECRET_KEY_FILE",
            help="File with its secret; without one the secret is in TELECINE_S3_SECRET_KEY.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    bucket: Annotated[
        str | None,
        typer.Option(
            "--bucket",
            metavar="NAME",
            help="Look in this bucket in place of those that the events name: for a copy.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    deep: Annotated[
        bool,
        typer.Option("--deep", help="Read every object and compare its SHA-256: all bytes are transferred."),
    ] = False


async def run(options: Options) -> int:
    """Print what was compared, and every object that is not as it was stored."""
    found = BreachList(_KEPT)
    store = ObjectStore(_access(options))
    try:
        audit = ObjectChecks(store, found, bucket=options.bucket, deep=options.deep, quiet=options.json)
        async with open_source(options) as source:
            await audit.run(source)
    finally:
        store.close()
    if audit.newer and not found.count:
        raise CommandError(
            f"{audit.newer} VideoStored events have a version that this program does not know: install a newer "
            f"telecine-auditor; of {format_number(audit.videos)} videos that it knows, none is missing or differs"
        )
    if options.json:
        print_json(
            NAME,
            {
                "sequence": audit.sequence,
                "videos": audit.videos,
                "bytes": audit.bytes,
                "deep": options.deep,
                "unknown_objects": audit.unknown,
                "unknown_keys": audit.unknown_keys,
                "erased": audit.erased,
                "newer_events": audit.newer,
                "count": found.count,
                "breaches": [breach.as_json() for breach in found.kept],
            },
        )
    else:
        sys.stdout.write("\n".join(_text(audit, found)) + "\n")
    return BREACH if found.count else CLEAN


def _access(options: Options) -> ObjectStoreSettings:
    secret = os.environ.get("TELECINE_S3_SECRET_KEY", "")
    if options.secret_key_file is not None:
        try:
            secret = Path(options.secret_key_file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise CommandError(
                f"cannot read the secret key in {options.secret_key_file}: {reason}"
            ) from error
    given = {
        "--endpoint": options.endpoint,
        "--access-key": options.access_key,
        "--secret-key-file": secret,
    }
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise CommandError(f"the object store is not configured: {', '.join(missing)} missing")
    return ObjectStoreSettings(
        endpoint=options.endpoint, region=options.region, access_key=options.access_key, secret_key=secret
    )


def _text(audit: ObjectChecks, found: BreachList) -> list[str]:
    lines = [
        f"{format_number(audit.videos)} stored videos, {format_number(audit.bytes)} bytes, up to VIDEO#{audit.sequence}"
    ]
    if audit.erased:
        lines.append(f"{format_number(audit.erased)} videos of erased accounts, which are not looked for")
    if audit.unknown:
        lines.append(
            f"{format_number(audit.unknown)} objects without an event: copies in progress, or videos of erased accounts"
        )
        lines += [f"  {one_line(key)}" for key in audit.unknown_keys[:_SHOWN_UNKNOWN]]
        if audit.unknown > _SHOWN_UNKNOWN:
            lines.append(f"  and {format_number(audit.unknown - _SHOWN_UNKNOWN)} more (--json lists them)")
    lines += [one_line(str(breach)) for breach in found.kept]
    if found.count > len(found.kept):
        lines.append(f"and {format_number(found.count - len(found.kept))} more")
    ending = (
        f"Objects that are not as they were stored: {format_number(found.count)}"
        if found.count
        else "Every stored video is in the bucket."
    )
    return [*lines, ending]
